import type { Keyring } from '../../keyring/contract.js'
import type { KeyRecord } from '../../keyring/records.js'
import { type Command, EXIT, readDuration } from '../command.js'
import { checkFormat, forEachPage, printLines } from '../pages.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { notice, outputColumns, printJson, printOverProgress } from '../terminal.js'
import { formatKeys } from './table.js'

export const due: Command = {
  summary: 'keys that end soon, are to be rotated, or are not used; exits 3 when there are any',
  about: [
    'For a scheduled job. A key that ends soon is due unless it was rotated, and the key that took over is good: active, or replaced by one that is.',
  ],
  options: {
    within: { value: 'DURATION', help: 'due when it ends within that time, without a good successor', default: '30d' },
    rotation: { value: 'DURATION', help: 'due when it is active and was created longer ago, such as 365d' },
    unused: { value: 'DURATION', help: 'due when it is active and was not used for that long', default: '90d' },
    jsonl: { help: 'print JSON, a document a line' },
    ...STORE_OPTIONS,
  },
  examples: ['vantage-auth keys due', 'vantage-auth keys due --within 14d --rotation 180d --unused 30d --json'],
  exitCodes: '0 when no key is due; 3 when one is; 1 for trouble with the store; 2 for a wrong argument.',
  async run(given) {
    const within = readDuration(given, 'within')
    const olderThan = readDuration(given, 'rotation')
    const unusedFor = readDuration(given, 'unused')
    checkFormat(given)
    return withKeyring(given, { reads: true }, async (keyring) => {
      const found = { expiring: [] as KeyRecord[], rotation: [] as KeyRecord[], unused: [] as KeyRecord[] }
      let count = 0
      /** Prints the pages as they are read: a store can have more keys than memory. */
      const tell = async (cause: keyof typeof found, heading: string, filters: Parameters<Keyring['list']>[0]) => {
        let isFirst = true
        const read = async (page: { limit: number; cursor: string | null | undefined }) => {
          const { keys, cursor } = await keyring.list({ ...filters, ...page })
          return { items: keys, cursor }
        }
        await forEachPage('keys', read, async (page) => {
          const keys = cause === 'expiring' ? await withoutGoodSuccessor(keyring, page) : page
          if (keys.length === 0) return
          count += keys.length
          if (given.is('json')) found[cause].push(...keys)
          else if (given.is('jsonl')) await printLines(keys.map((key) => ({ due: cause, ...key })))
          else {
            const table = formatKeys(keys, outputColumns(), isFirst)
            await printOverProgress(isFirst ? `${heading}\n${table}` : table)
          }
          isFirst = false
        })
      }
      await tell('expiring', `Ends within ${within}, without a good successor:`, { expiringWithin: within })
      if (olderThan !== undefined) {
        await tell('rotation', `To be rotated, created more than ${olderThan} ago:`, { state: 'active', olderThan })
      }
      await tell('unused', `Not used for ${unusedFor}:`, { state: 'active', unusedFor })
      if (given.is('json')) printJson(found)
      else if (count === 0 && !given.is('jsonl')) notice('No key is due.')
      return count === 0 ? EXIT.ok : EXIT.found
    })
  },
}

async function withoutGoodSuccessor(keyring: Keyring, keys: readonly KeyRecord[]): Promise<KeyRecord[]> {
  const known = new Map<string, KeyRecord | undefined>(keys.map((key) => [key.id, key]))
  const find = async (id: string) => {
    if (!known.has(id)) known.set(id, await keyring.get(id))
    return known.get(id)
  }
  const due: KeyRecord[] = []
  for (const key of keys) if (!(await hasGoodSuccessor(key, find))) due.push(key)
  return due
}

/** Whether the key that took over is active, or was itself replaced by one that is. */
async function hasGoodSuccessor(
  key: KeyRecord,
  find: (id: string) => Promise<KeyRecord | undefined>,
): Promise<boolean> {
  // Hand-written SQL can make a circle of keys.
  const seen = new Set([key.id])
  for (let id = key.replacedBy; id !== null && !seen.has(id); ) {
    seen.add(id)
    const successor = await find(id)
    if (successor?.state === 'active') return true
    if (successor?.state !== 'superseded') return false
    id = successor.replacedBy
  }
  return false
}
