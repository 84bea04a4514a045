import { ArgumentError } from '../core/argument-error.js'
import { describeCause } from '../core/cause.js'
import { answerWithin } from '../core/deadline.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { KeyStoreError } from '../core/errors.js'
import type { AskedService, KeyStore } from '../store/contract.js'
import type { Confirmation, Confirmed, FollowingService, ServiceName } from './contract.js'

/** How long services have to answer where only who follows is asked. */
export const DEFAULT_ANSWER_TIME = '2s'

type AskServices = NonNullable<KeyStore['askServices']>

const LONGEST_WAIT_MS = 600_000
/** How much later than the services a store may answer: it counts their time, and connects before and closes after. */
const STORE_TIME_MS = 5000

/** @throws {TypeError} for what is no duration of 1 second to 10 minutes */
export function readAnswerTime(value: Duration, name: string): number {
  const ms = parseDuration(value, name, 0)
  if (ms < 1000 || ms > LONGEST_WAIT_MS) throw new ArgumentError(name, 'must be between 1s and 10m')
  return ms
}

/** Writes a revocation. What it resolves to is as the overloads of the contract say: confirmed, where that was asked for. */
type Write = <Revoked>(write: () => Promise<Revoked>) => Promise<Revoked & Confirmed<Revoked>>

/**
 * @param confirm how long to wait until the services of the store have said that they refuse what is revoked
 * @throws {TypeError} for another `confirm` than the contract allows
 * @throws {KeyStoreError} where the store cannot ask them
 */
export function writeAndConfirm(confirm: Duration | undefined, findAskServices: () => AskServices): Write {
  if (confirm === undefined) return ((write) => write()) as Write
  const limitMs = readAnswerTime(confirm, 'confirm')
  const askServices = findAskServices()
  return ((write) => writeConfirmed(write, askServices, limitMs)) as Write
}

async function writeConfirmed<Revoked>(
  write: () => Promise<Revoked>,
  askServices: AskServices,
  limitMs: number,
): Promise<Confirmed<Revoked>> {
  const writing = write()
  const asking = askServices(limitMs, writing)
  // It may fail first, and is awaited only below.
  asking.catch(() => {})
  const record = await writing
  try {
    const services = await answerWithin(limitMs + STORE_TIME_MS, 'the key store', asking)
    return Object.freeze({ record, confirmation: toConfirmation(services) })
  } catch (cause) {
    throw new KeyStoreError(
      `It is revoked, but whether the services of this key store refuse it could not be asked: ${describeCause(cause)}`,
      { cause },
    )
  }
}

/** @throws {KeyStoreError} (rejects with it) where the services cannot be asked */
export async function listServices(askServices: AskServices, limitMs: number): Promise<readonly FollowingService[]> {
  const services = await answerWithin(limitMs + STORE_TIME_MS, 'the key store', askServices(limitMs))
  return Object.freeze(services.map(toFollowingService))
}

function toConfirmation(services: readonly AskedService[]): Confirmation {
  const answers = services.flatMap(({ answeredAfterMs }) => (answeredAfterMs === null ? [] : [answeredAfterMs]))
  const unanswered = services.filter(({ answeredAfterMs }) => answeredAfterMs === null).map(toName)
  return Object.freeze({
    services: services.length,
    confirmed: answers.length,
    lastAfterMs: answers.length === 0 ? null : Math.ceil(Math.max(...answers)),
    ...(unanswered.length > 0 && { unanswered: Object.freeze(unanswered) }),
  })
}

function toFollowingService(service: AskedService): FollowingService {
  const { since, heardOf, answeredAfterMs } = service
  return Object.freeze({
    ...toName(service),
    since: since === null ? null : new Date(since),
    heardOf,
    isUpToDate: answeredAfterMs !== null,
  })
}

function toName({ host, pid, applicationName }: AskedService): ServiceName {
  return Object.freeze({ host, pid, applicationName })
}
