import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RevocationReceiverOptions } from '../src/receiver/contract.js'
import { createFront } from '../src/receiver/front.js'
import { write } from './express-answer.js'

/** An Express handler, for Express 4.17 and later and 5. */
export interface RevocationReceiver {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void
  /** Waits for what is under way, and stops fetching keys. It does not close the keyring. */
  close(): Promise<void>
}

/**
 * Takes what providers send to end sessions and accounts, and revokes the access tokens that it names:
 * `app.post('/events', createRevocationReceiver({ keyring, issuers }))`. Providers send no credential of this API: mount it
 * before `vantageAuth()`. A body parser may run before it.
 *
 * @throws {TypeError} for a wrong option
 */
export function createRevocationReceiver(...given: [options: RevocationReceiverOptions]): RevocationReceiver {
  const front = createFront(given, "app.post('/events', createRevocationReceiver(options))")
  const receive = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void => {
    const parsedBody = () => (req as { body?: unknown }).body
    front.answer({ req, res, parsedBody }).then((answer) => write(res, answer), next)
  }
  return Object.assign(receive, { close: front.close })
}
