import { UnavailableError } from '../core/errors.js'
import { answerTo } from '../http/answers.js'
import type { Receiver, RevocationReceiverOptions } from './contract.js'

export type { ReceivedRequest, Receiver, RevocationReceiverOptions, RevocationSender } from './contract.js'

/** Creates a receiver. Nothing is fetched or written before the first request. */
export function createReceiver(_options: RevocationReceiverOptions): Receiver {
  return {
    handle: async () => answerTo(new UnavailableError(new Error('the receiver takes nothing yet'))),
    close: async () => {},
  }
}
