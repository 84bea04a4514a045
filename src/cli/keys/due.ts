import type { Keyring } from '../../keyring/contract.js'
import type { KeyRecord } from '../../keyring/records.js'
import { type Command, EXIT, readDuration } from '../command.js'
import { print } from '../output.js'
import { checkFormat, printLines, readAll } from '../pages.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { notice, printJson } from '../terminal.js'
import { printKeys } from './table.js'

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
      const list = (filters: Parameters<Keyring['list']>[0]) =>
        readAll('keys', async (page) => {
          const { keys, cursor } = await keyring.list({ ...filters, ...page })
          return { items: keys, cursor }
        })
      const expiring = await withoutGoodSuccessor(keyring, await list({ expiringWithin: within }))
      const rotation = olderThan === undefined ? [] : await list({ state: 'active', olderThan })
      const unused = await list({ state: 'active', unusedFor })
      const found = { expiring, rotation, unused }
      const count = expiring.length + rotation.length + unused.length
      if (given.is('json')) printJson(found)
      else if (given.is('jsonl')) {
        for (const [cause, keys] of Object.entries(found)) {
          await printLines(keys.map((key) => ({ due: cause, ...key })))
        }
      } else if (count === 0) notice('No key is due.')
      else {
        printDue(`Ends within ${within}, without a good successor:`, expiring)
        printDue(`To be rotated, created more than ${olderThan} ago:`, rotation)
        printDue(`Not used for ${unusedFor}:`, unused)
      }
      return count === 0 ? EXIT.ok : EXIT.found
    })
  },
}

function printDue(heading: string, keys: readonly KeyRecord[]): void {
  if (keys.length === 0) return
  print(`${heading}\n`)
  printKeys(keys)
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
