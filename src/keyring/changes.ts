import { parseDuration } from '../core/duration.js'
import { KeyStateError } from '../core/errors.js'
import { type KeyStore, keyStateAt, type ListedKey, type StoredKey, type WriteLimit } from '../store/contract.js'
import { isSameKey } from '../store/same-key.js'
import { checkInTime } from '../store/write-limit.js'
import { checkId, checkNames, checkOptionalDate, checkOptionalText, readTimeout } from './arguments.js'
import type { Keyring, RotatedKey } from './contract.js'
import { readEdit } from './edit.js'
import { createNewKey, showOnce } from './new-key.js'
import { toKeyRecord } from './records.js'
import { writeAndConfirm } from './services.js'

const DEFAULT_OVERLAP = '24h'
/** Attempts at one change. Each further one means that somebody else changed the same key in between. */
const MAX_ROUNDS = 20

/**
 * What changes a key that is there.
 *
 * @param ready resolves once the store can be used
 * @param readKnown reads a key as it is now; rejects with a KeyNotFoundError for an unknown id
 * @param askServices the store's method; throws where it lacks that
 */
export function createChangeMethods(
  keys: KeyStore,
  ready: () => Promise<void>,
  readKnown: (id: string, now: number) => Promise<ListedKey>,
  askServices: () => NonNullable<KeyStore['askServices']>,
  clock: () => number,
): Pick<Keyring, 'rotate' | 'edit' | 'revoke'> {
  /**
   * Reads a key, decides what becomes of it, and writes that, again while somebody else changes the key in between.
   * `decide` throws where the operation is not permitted.
   */
  async function change<T>(
    id: string,
    decide: (current: ListedKey, now: number) => Decision<T>,
    limit?: WriteLimit,
  ): Promise<T> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const now = clock()
      const current = await readKnown(id, now)
      const { next, successor, editor, result } = decide(current, now)
      if (next === undefined) return result
      checkInTime(limit)
      if (await keys.update(withoutUse(current), next, successor, editor, limit)) return result
    }
    throw new KeyStateError('The key is being changed by others at the moment; try again')
  }

  return {
    async rotate(id, given = {}) {
      checkId(id)
      checkNames('rotate()', given, ['overlap', 'notAfter', 'actor', 'timeoutMs'])
      const overlapMs = parseDuration(given.overlap ?? DEFAULT_OVERLAP, 'overlap', 0)
      const notAfter = checkOptionalDate(given.notAfter, 'notAfter')
      const createdBy = checkOptionalText(given.actor, 'actor')
      const limit = readTimeout(given.timeoutMs)
      await ready()
      function succeed(current: ListedKey, now: number): Decision<RotatedKey> {
        checkActive(current, now)
        const lifeMs = current.expiresAt === null ? null : current.expiresAt - current.createdAt
        const { key, stored } = createNewKey({ ...current, createdBy, replaces: id }, { lifeMs, notAfter }, now)
        const next = {
          ...withoutUse(current),
          expiresAt: Math.min(current.expiresAt ?? Number.POSITIVE_INFINITY, now + overlapMs),
          replacedBy: stored.id,
        }
        const record = toKeyRecord({ ...stored, lastUsedAt: null }, now)
        return {
          next,
          successor: stored,
          result: showOnce(key, { record, previous: toKeyRecord({ ...current, ...next }, now) }),
        }
      }
      return change(id, succeed, limit)
    },

    async edit(id, given) {
      checkId(id)
      const edit = readEdit(given)
      const editor = checkOptionalText(given.actor, 'actor')
      await ready()
      return change(id, (current, now) => {
        checkUnended(current, now)
        const stored = withoutUse(current)
        const next = edit(stored)
        const result = toKeyRecord({ ...current, ...next }, now)
        return isSameKey(stored, next) ? { result } : { next, editor, result }
      })
    },

    async revoke(id, given = {}) {
      checkId(id)
      checkNames('revoke()', given, ['reason', 'actor', 'confirm'])
      const revokedReason = checkOptionalText(given.reason, 'reason')
      const revokedBy = checkOptionalText(given.actor, 'actor')
      const written = writeAndConfirm(given.confirm, askServices)
      await ready()
      return written(() =>
        change(id, (current, now) => {
          if (current.revokedAt !== null) return { result: toKeyRecord(current, now) }
          const next = { ...withoutUse(current), revokedAt: now, revokedBy, revokedReason }
          return { next, result: toKeyRecord({ ...current, ...next }, now) }
        }),
      )
    },
  }
}

/** What an operation has decided on the key that it found. */
interface Decision<T> {
  /** What the key becomes; without it the key is left as it is. */
  readonly next?: StoredKey
  /** The key that takes over. */
  readonly successor?: StoredKey
  /** Who edits the key. */
  readonly editor?: string | null
  readonly result: T
}

function withoutUse({ lastUsedAt: _, ...key }: ListedKey): StoredKey {
  return key
}

function checkActive(key: StoredKey, now: number): void {
  const state = keyStateAt(key, now)
  if (state === 'active') return
  const successor = key.replacedBy === null ? '' : `; its successor is ${JSON.stringify(key.replacedBy)}`
  throw new KeyStateError(`Only an active key can be rotated, and this one is ${state}${successor}`)
}

function checkUnended(key: StoredKey, now: number): void {
  const state = keyStateAt(key, now)
  if (state === 'active' || state === 'superseded') return
  throw new KeyStateError(`Only a key that is still accepted can be edited, and this one is ${state}`)
}
