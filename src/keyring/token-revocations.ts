import { createHash } from 'node:crypto'
import { generateId } from '../api-key/format.js'
import { checkIssuer } from '../config/issuer-identifier.js'
import { ArgumentError } from '../core/argument-error.js'
import { parseDuration } from '../core/duration.js'
import type { KeyStore, StoredTokenEvent, StoredTokenRevocation } from '../store/contract.js'
import { LAST_INSTANT } from '../store/key-order.js'
import { checkNames, checkOptionalText, DEFAULT_LIFE, readTimeout } from './arguments.js'
import type { Keyring, RevokeTokensOnceOptions, RevokeTokensOptions, TokenEvent } from './contract.js'
import { toTokenRevocation } from './records.js'
import { writeAndConfirm } from './services.js'
import { checkName, isName, readTokenSelector } from './token-selector.js'

type TokenMethods = Pick<Keyring, 'revokeTokens' | 'revokeTokensOnce' | 'tokenRevocations'>

type StoreMethods = Pick<
  KeyStore,
  'addTokenRevocation' | 'addTokenRevocationsOnce' | 'tokenRevocations' | 'askServices'
>

/**
 * How long after the life of a token it may still be accepted: twice the largest `clockToleranceSeconds`, since its issuer's
 * clock may run ahead by that, and services add it to `exp`.
 */
const CLOCKS_DIFFER_MS = 2 * 300_000
/** More than any event names. */
const MOST_SELECTORS = 100
const LONGEST_KEPT_MS = 366 * 86_400_000

/**
 * @param ready resolves once the store can be used
 * @param required one of the store's optional methods; throws where it lacks that
 */
export function createTokenMethods(
  ready: () => Promise<void>,
  required: <M extends keyof StoreMethods>(name: M) => NonNullable<StoreMethods[M]>,
  clock: () => number,
): TokenMethods {
  return {
    async revokeTokens(selector, given = {}) {
      const selected = readTokenSelector(selector)
      checkNames('revokeTokens()', given, ['reason', 'actor', 'tokenLife', 'confirm'])
      const options = readOptions(given)
      const written = writeAndConfirm(given.confirm, () => required('askServices'))
      await ready()
      const stored = toStored(selected, options, clock())
      return written(async () => {
        await required('addTokenRevocation')(stored)
        return toTokenRevocation(stored)
      })
    },

    async revokeTokensOnce(event, selectors, given = {}) {
      const caller = 'revokeTokensOnce()'
      const { keepUntil, digest, sender } = readEvent(event)
      if (!Array.isArray(selectors) || selectors.length > MOST_SELECTORS)
        throw new ArgumentError('selectors', `must be a list of 0 to ${MOST_SELECTORS} selectors`)
      const selected = selectors.map((selector) => readTokenSelector(selector, caller))
      checkNames(caller, given, ['reason', 'actor', 'tokenLife', 'timeoutMs'])
      const options = { ...readOptions(given), createdBy: readReceiver(given.actor) }
      const limit = readTimeout(given.timeoutMs)
      await ready()
      const createdAt = clock()
      const stored = selected.map((tokens) => toStored(tokens, options, createdAt))
      const endsAt = Math.min(keepUntil, createdAt + LONGEST_KEPT_MS)
      const noted: StoredTokenEvent = { digest, sender, createdAt, endsAt }
      const isNew = await required('addTokenRevocationsOnce')(noted, stored, limit)
      return Object.freeze({
        repeated: !isNew,
        revocations: Object.freeze(isNew ? stored.map(toTokenRevocation) : []),
      })
    },

    async tokenRevocations() {
      await ready()
      const stored = await required('tokenRevocations')(clock())
      return [...stored].sort((a, b) => b.createdAt - a.createdAt).map(toTokenRevocation)
    },
  }
}

interface ReadOptions {
  readonly reason: string | null
  readonly createdBy: string | null
  readonly lifeMs: number
}

function readOptions({ reason, actor, tokenLife }: RevokeTokensOptions): ReadOptions {
  return {
    reason: checkOptionalText(reason, 'reason'),
    createdBy: checkOptionalText(actor, 'actor'),
    lifeMs: parseDuration(tokenLife ?? DEFAULT_LIFE, 'tokenLife'),
  }
}

/** PostgreSQL holds a role that may do nothing else to the same names: see `vantage_revoke_tokens_once`. */
function readReceiver(actor: RevokeTokensOnceOptions['actor']): string {
  const name = checkOptionalText(actor, 'actor') ?? 'receiver'
  if (/^receiver(:|$)/.test(name)) return name
  throw new ArgumentError('actor', "must be 'receiver', or begin with 'receiver:'")
}

function toStored(
  selected: ReturnType<typeof readTokenSelector>,
  { reason, createdBy, lifeMs }: ReadOptions,
  createdAt: number,
): StoredTokenRevocation {
  const endsAt = Math.min(Math.max(createdAt, selected.issuedBefore ?? 0) + lifeMs + CLOCKS_DIFFER_MS, LAST_INSTANT)
  return { id: generateId(), createdAt, createdBy, reason, endsAt, ...selected }
}

function readEvent(event: TokenEvent): Pick<StoredTokenEvent, 'digest' | 'sender'> & { readonly keepUntil: number } {
  checkNames('the event of revokeTokensOnce()', event, ['issuer', 'id', 'keepUntil'])
  const { issuer, id, keepUntil } = event as { readonly [Name in keyof TokenEvent]?: unknown }
  const sender = checkIssuer(checkName(issuer, 'issuer'), 'issuer')
  if (!isName(id)) throw new ArgumentError('id', 'must be a text of 1 to 8192 bytes')
  const until = keepUntil instanceof Date ? keepUntil.getTime() : keepUntil
  if (!(Number.isInteger(until) && (until as number) >= 0 && (until as number) <= LAST_INSTANT))
    throw new ArgumentError('keepUntil', 'must be a Date, or milliseconds since the epoch')
  return { digest: digestOf([sender, id]), sender: digestOf([sender]), keepUntil: until as number }
}

/** As JSON, so that different lists of texts are never one text; it writes halves of surrogate pairs as well. */
function digestOf(texts: readonly string[]): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(texts)).digest('hex')}`
}
