import type { KeyStore, StoredAuditEntry } from '../store/contract.js'
import type { KeyEvent } from './contract.js'
import { dayOf } from './days.js'
import type { KeyRecord } from './records.js'

/** More news than this are told as `reload`: a change of many keys is no news of each. */
const MOST_NEWS = 100
/** With more keys that are used for the first time on one day, first uses are not told apart any more. */
const MOST_FIRST_USES = 10_000
/** Services write uses up to some seconds later, and a day later than that of the use when it ends in between. */
const DAY_ENDS_AFTER_MS = 600_000
/** What the clocks of a database and of this process may differ by on one machine, where one of them rounds. */
const ROUNDING_MS = 5

export const RELOAD: KeyEvent = Object.freeze({ type: 'reload' })

/** What has happened to the keys of a store since the last reading. */
export interface News {
  /** Creations, changes and revocations, oldest first. */
  changes(): Promise<readonly KeyEvent[]>
  /** Keys that were used for the first time. */
  firstUses(): Promise<readonly KeyEvent[]>
  /** The next `changes()` begins anew, and tells `reload`. */
  lose(): void
}

/**
 * The audit trail tells what was done, by whomever, and in the order of its numbers. Nothing between two readings is lost.
 *
 * @param read the record of a key
 */
export function createNews(
  { readAudit, firstUses }: Required<Pick<KeyStore, 'readAudit' | 'firstUses'>>,
  read: (id: string) => Promise<KeyRecord | undefined>,
  clock: () => number,
): News {
  const startedAt = Date.now()
  let seq: number | undefined
  let isLost = false
  let known: ReadonlySet<string> | undefined

  async function toEvents(entries: readonly StoredAuditEntry[]): Promise<readonly KeyEvent[]> {
    const told = entries.flatMap(toldBy)
    if (told.includes(undefined)) return [RELOAD]
    return readAll(told.filter((one) => one !== undefined))
  }

  /** `reload` where a key is not there: it was deleted, or got another id. */
  async function readAll(told: readonly Told[]): Promise<readonly KeyEvent[]> {
    const records = new Map<string, KeyRecord | undefined>()
    for (const { id } of told) if (!records.has(id)) records.set(id, await read(id))
    if ([...records.values()].includes(undefined)) return [RELOAD]
    return told.map(({ type, id, at }) => {
      const record = records.get(id) as KeyRecord
      return Object.freeze({
        type,
        at: at === undefined ? (record.lastUsedAt ?? new Date(clock())) : new Date(at),
        record,
      })
    })
  }

  return {
    async changes() {
      if (isLost) {
        const [newest] = await readAudit({ limit: 1 })
        seq = newest?.seq ?? 0
        isLost = false
        return [RELOAD]
      }
      const last = seq
      const found = await readAudit({ limit: MOST_NEWS + 1, ...(last !== undefined && { after: last }) })
      // At the first reading, what was done since somebody began to listen.
      const entries = found.filter(({ at, seq }) => (last === undefined ? at >= startedAt - ROUNDING_MS : seq > last))
      const events = entries.length > MOST_NEWS ? [RELOAD] : await toEvents([...entries].reverse())
      seq = Math.max(last ?? 0, found[0]?.seq ?? 0)
      return events
    },

    async firstUses() {
      const ids = await firstUses(dayOf(clock() - DAY_ENDS_AFTER_MS), MOST_FIRST_USES)
      const before = known
      known = ids.length < MOST_FIRST_USES ? new Set(ids) : undefined
      if (before === undefined || known === undefined) return []
      const fresh = ids.filter((id) => !before.has(id))
      if (fresh.length > MOST_NEWS) return [RELOAD]
      return readAll(fresh.map((id) => ({ type: 'first-use', id, at: undefined })))
    },

    lose() {
      isLost = true
    },
  }
}

interface Told {
  readonly type: Exclude<KeyEvent['type'], 'reload'>
  readonly id: string
  /** `undefined` for the last use of the key. */
  readonly at: number | undefined
}

/** What an entry of the audit trail tells of keys; `undefined` where it does not say of which. */
function toldBy({ action, keyId, successorId, detail, at }: StoredAuditEntry): (Told | undefined)[] {
  // Entries without a key are of tokens, and tell of which; but the one of all keys that were deleted at once.
  if (keyId === null) return action === 'delete' && detail === null ? [undefined] : []
  switch (action) {
    case 'create':
      return [{ type: 'created', id: keyId, at }]
    case 'rotate': {
      const changed = { type: 'changed', id: keyId, at } as const
      return successorId === null ? [changed] : [changed, { type: 'created', id: successorId, at }]
    }
    case 'revoke':
      return [{ type: 'revoked', id: keyId, at }]
    case 'delete':
      return [undefined]
    default:
      return [{ type: 'changed', id: keyId, at }]
  }
}
