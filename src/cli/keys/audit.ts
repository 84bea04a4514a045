import { type Command, UsageError } from '../command.js'
import { PAGE_OPTIONS, printList } from '../pages.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { formatTable } from '../table.js'
import { formatInstant, outputColumns } from '../terminal.js'

export const audit: Command = {
  summary: 'who created, edited, rotated and revoked what, and when; newest first',
  about: [
    'Entries are written together with what they tell of, and are never changed. Changes by hand-written SQL are among them.',
  ],
  options: {
    id: { value: 'ID', help: 'the same as ID behind the command' },
    ...PAGE_OPTIONS,
    ...STORE_OPTIONS,
  },
  operand: { name: 'ID', least: 0 },
  examples: ['vantage-auth keys audit', 'vantage-auth keys audit Cvr9ZyvaWKKY --json'],
  async run(given) {
    const id = given.operands[0] ?? given.text('id')
    if (given.text('id') !== undefined && given.text('id') !== id) throw new UsageError('ID and --id name two keys')
    await withKeyring(given, { reads: true }, (keyring) =>
      printList(given, {
        name: 'entries',
        async read(page) {
          const { entries, cursor } = await keyring.audit({ id, ...page })
          return { items: entries, cursor }
        },
        format: (entries, hasHeading) =>
          formatTable(
            [
              'TIME',
              'ACTION',
              'KEY',
              'SUCCESSOR',
              { title: 'ACTOR', cut: true },
              { title: 'REASON', cut: true },
              { title: 'DETAIL', cut: true },
            ],
            entries.map((entry) => [
              formatInstant(entry.at),
              entry.action,
              entry.keyId,
              entry.successorId,
              entry.actor,
              entry.reason,
              entry.detail,
            ]),
            outputColumns(),
            hasHeading,
          ),
      }),
    )
  },
}
