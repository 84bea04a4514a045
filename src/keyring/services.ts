import { ArgumentError } from '../core/argument-error.js'
import { describeCause } from '../core/cause.js'
import { answerWithin } from '../core/deadline.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { KeyStoreError } from '../core/errors.js'
import type { AskedService, KeyStore } from '../store/contract.js'
import type { Confirmation, Confirmed, FollowingService, ServiceName } from './contract.js'
import type { KeyRecord, TokenRevocation } from './records.js'
import { UnconfirmedError } from './unconfirmed-error.js'

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
type Write = <Revoked extends KeyRecord | TokenRevocation>(
  write: () => Promise<Revoked>,
) => Promise<Revoked & Confirmed<Revoked>>

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

/** @throws {UnconfirmedError} (rejects with it) where it is written, and the services cannot be asked */
async function writeConfirmed<Revoked extends KeyRecord | TokenRevocation>(
  write: () => Promise<Revoked>,
  askServices: AskServices,
  limitMs: number,
): Promise<Confirmed<Revoked>> {
  const writing = write()
  // A store of an application's own may throw at once.
  const asking = (async () => askServices(limitMs, writing))()
  // It may fail first, and is awaited only below.
  asking.catch(() => {})
  const record = await writing
  try {
    const services = checkAnswers(await answered(asking, limitMs))
    return Object.freeze({ record, confirmation: toConfirmation(services) })
  } catch (cause) {
    throw new UnconfirmedError(
      `It is revoked, but whether the services of this key store refuse it could not be asked: ${describeCause(cause)}`,
      record,
      { cause },
    )
  }
}

/**
 * Asks the services, and writes nothing. Who answers refuses everything that was revoked before.
 *
 * @throws {KeyStoreError} (rejects with it) where the services cannot be asked
 */
export async function confirmEarlier(askServices: AskServices, limitMs: number): Promise<Confirmation> {
  return toConfirmation(checkAnswers(await answered(askServices(limitMs), limitMs)))
}

/** @throws {KeyStoreError} (rejects with it) where the services cannot be asked */
export async function listServices(askServices: AskServices, limitMs: number): Promise<readonly FollowingService[]> {
  const services = await answered(askServices(limitMs), limitMs)
  return Object.freeze(checkAnswers(services).map(toFollowingService))
}

function answered<T>(answer: Promise<T>, limitMs: number): Promise<T> {
  return answerWithin(limitMs + STORE_TIME_MS, 'the key store', answer, { keepsAlive: true })
}

/**
 * Stores can be the application's own, and an answer that nobody gave must not count as one.
 *
 * @throws {KeyStoreError} for what is no list of services, or an `answeredAfterMs` that is neither a time nor `null`
 */
function checkAnswers(services: unknown): readonly AskedService[] {
  if (!Array.isArray(services)) throw new KeyStoreError('askServices() of this key store has not given a list')
  const isWrong = services.some((service: Partial<AskedService> | null | undefined) => {
    const after = service?.answeredAfterMs
    return after !== null && !(Number.isFinite(after) && Number(after) >= 0)
  })
  if (isWrong)
    throw new KeyStoreError(
      'askServices() of this key store has given a service whose answeredAfterMs is neither null nor 0 or more',
    )
  return services
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
    since: Number.isFinite(since) ? new Date(Number(since)) : null,
    heardOf,
    isUpToDate: answeredAfterMs !== null,
  })
}

function toName({ host, pid, applicationName }: AskedService): ServiceName {
  return Object.freeze({ host, pid, applicationName })
}
