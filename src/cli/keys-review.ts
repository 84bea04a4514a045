import type { Keyring, ListKeysOptions } from '../keyring/contract.js'
import type { KeyRecord } from '../keyring/records.js'
import { type Command, EXIT, readDuration, readWhole } from './command.js'
import { printKeys } from './keys-table.js'
import { STORE_OPTIONS, withKeyring } from './store.js'
import { printTable } from './table.js'
import { formatInstant, notice, printJson } from './terminal.js'

export const due: Command = {
  summary: 'active keys that are to be rotated or given up; exits 3 when there are any',
  about: ['For a scheduled job.'],
  options: {
    rotation: { value: 'DURATION', help: 'to be rotated when created longer ago', default: '365d' },
    unused: { value: 'DURATION', help: 'to be given up when not used for that long', default: '90d' },
    ...STORE_OPTIONS,
  },
  examples: ['vantage-auth keys due', 'vantage-auth keys due --rotation 180d --unused 30d --json'],
  exitCodes: '0 when no key is due; 3 when one is; 1 for trouble with the store; 2 for a wrong argument.',
  async run(given) {
    const olderThan = readDuration(given, 'rotation') ?? '365d'
    const unusedFor = readDuration(given, 'unused') ?? '90d'
    let found = 0
    await withKeyring(given, { reads: true }, async (keyring) => {
      const rotation = await listAll(keyring, { state: 'active', olderThan })
      const unused = await listAll(keyring, { state: 'active', unusedFor })
      found = rotation.length + unused.length
      if (given.is('json')) return printJson({ rotation, unused })
      if (found === 0) return notice('No key is due.')
      for (const [heading, keys] of [
        [`To be rotated, created more than ${olderThan} ago:`, rotation],
        [`Not used for ${unusedFor}:`, unused],
      ] as const) {
        if (keys.length === 0) continue
        process.stdout.write(`${heading}\n`)
        printKeys(keys)
      }
    })
    return found === 0 ? EXIT.ok : EXIT.found
  },
}

export const audit: Command = {
  summary: 'who created, rotated and revoked what, and when; newest first',
  about: [
    'Entries are written together with what they tell of, and are never changed. Changes by hand-written SQL are among them.',
  ],
  options: {
    id: { value: 'ID', help: 'of this key, as the old or the new one of a rotation' },
    limit: { value: 'N', help: 'at most so many, 1 to 1000 (default 100)' },
    cursor: { value: 'TEXT', help: 'the next page, as the last one said' },
    ...STORE_OPTIONS,
  },
  examples: ['vantage-auth keys audit', 'vantage-auth keys audit --id Cvr9ZyvaWKKY --json'],
  async run(given) {
    const filters = { id: given.text('id'), limit: readWhole(given, 'limit'), cursor: given.text('cursor') }
    await withKeyring(given, { reads: true }, async (keyring) => {
      const page = await keyring.audit(filters)
      if (given.is('json')) return printJson(page)
      if (page.entries.length === 0) return notice('There are no such entries.')
      printTable(
        [
          'TIME',
          'ACTION',
          'KEY',
          'SUCCESSOR',
          { title: 'ACTOR', cut: true },
          { title: 'REASON', cut: true },
          { title: 'TOKENS', cut: true },
        ],
        page.entries.map((entry) => [
          formatInstant(entry.at),
          entry.action,
          entry.keyId,
          entry.successorId,
          entry.actor,
          entry.reason,
          entry.detail,
        ]),
      )
      if (page.cursor !== null) notice(`There are more: --cursor ${page.cursor}`)
    })
  },
}

/** All pages of a list. */
async function listAll(keyring: Keyring, filters: ListKeysOptions): Promise<KeyRecord[]> {
  const keys: KeyRecord[] = []
  for (let cursor: string | null = null; ; ) {
    const page = await keyring.list({ ...filters, limit: 1000, cursor })
    keys.push(...page.keys)
    cursor = page.cursor
    if (cursor === null) return keys
  }
}
