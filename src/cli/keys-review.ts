import type { Keyring, ListKeysOptions } from '../keyring/contract.js'
import type { KeyRecord } from '../keyring/records.js'
import { type Command, readDuration, readWhole } from './command.js'
import { STORE_FLAGS, STORE_HELP, withKeyring } from './store.js'
import { formatInstant, formatKeys, formatTable, notice, printJson } from './terminal.js'

const text = { type: 'string' } as const

export const due: Command = {
  synopsis: 'keys due [options]',
  summary: 'active keys that are to be rotated or given up; exits 1 when there are any',
  help: `Options:
  --rotation DURATION  to be rotated when created longer ago (default 365d)
  --unused DURATION    to be given up when not used for that long (default 90d)
${STORE_HELP}
For a scheduled job: it exits 0 when no key is due, and 1 when one is, or when the store is out of reach.

Examples:
  vantage-auth keys due
  vantage-auth keys due --rotation 180d --unused 30d --json
`,
  flags: { ...STORE_FLAGS, rotation: text, unused: text },
  operands: [],
  async run(given) {
    const olderThan = readDuration(given, 'rotation') ?? '365d'
    const unusedFor = readDuration(given, 'unused') ?? '90d'
    let found = 0
    await withKeyring(given, {}, async (keyring) => {
      const rotation = await listAll(keyring, { state: 'active', olderThan })
      const unused = await listAll(keyring, { state: 'active', unusedFor })
      found = rotation.length + unused.length
      if (given.is('json')) return printJson({ rotation, unused })
      if (found === 0) return notice('No key is due.')
      for (const [heading, keys] of [
        [`To be rotated, created more than ${olderThan} ago:`, rotation],
        [`Not used for ${unusedFor}:`, unused],
      ] as const) {
        if (keys.length > 0) process.stdout.write(`${heading}\n${formatKeys(keys)}`)
      }
    })
    return found === 0 ? 0 : 1
  },
}

export const audit: Command = {
  synopsis: 'keys audit [options]',
  summary: 'who created, rotated and revoked what, and when; newest first',
  help: `Options:
  --id ID              of this key, as the old or the new one of a rotation
  --limit N            at most so many, 1 to 1000 (default 100)
  --cursor TEXT        the next page, as the last one said
${STORE_HELP}
Entries are written together with what they tell of, and are never changed. Changes by hand-written SQL are among them.

Examples:
  vantage-auth keys audit
  vantage-auth keys audit --id Cvr9ZyvaWKKY --json
`,
  flags: { ...STORE_FLAGS, id: text, limit: text, cursor: text },
  operands: [],
  async run(given) {
    const filters = { id: given.text('id'), limit: readWhole(given, 'limit'), cursor: given.text('cursor') }
    await withKeyring(given, {}, async (keyring) => {
      const page = await keyring.audit(filters)
      if (given.is('json')) return printJson(page)
      if (page.entries.length === 0) return notice('There are no such entries.')
      process.stdout.write(
        formatTable(
          ['TIME', 'ACTION', 'KEY', 'SUCCESSOR', 'ACTOR', 'REASON', 'TOKENS'],
          page.entries.map((entry) => [
            formatInstant(entry.at),
            entry.action,
            entry.keyId,
            entry.successorId,
            entry.actor,
            entry.reason,
            entry.detail,
          ]),
        ),
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
