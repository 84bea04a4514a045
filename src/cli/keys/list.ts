import type { KeySort } from '../../keyring/contract.js'
import { SORTS } from '../../keyring/sort.js'
import { KEY_STATES, type KeyState } from '../../store/contract.js'
import { type Command, readDuration, refuseToken } from '../command.js'
import { PAGE_OPTIONS, printList } from '../pages.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { outputColumns } from '../terminal.js'
import { formatKeys } from './table.js'

export const list: Command = {
  summary: 'keys, newest first unless --sort says otherwise',
  options: {
    subject: { value: 'TEXT', help: 'of this subject' },
    tenant: { value: 'TEXT', help: 'of this tenant' },
    state: { value: 'STATE', choices: KEY_STATES },
    unused: { value: 'DURATION', help: 'not used for that long, such as 90d' },
    expiring: { value: 'DURATION', help: 'still accepted, and not beyond that time, such as 30d' },
    search: { value: 'TEXT', help: 'with this text in name, hint or subject, in any case' },
    'superseded-in-use': { help: 'replaced, still accepted, and used since: whoever uses them has yet to change' },
    sort: {
      value: 'ORDER',
      choices: SORTS,
      help: 'created, expires, lastUsed or name; with - in front descending',
      default: '-created',
    },
    ...PAGE_OPTIONS,
    ...STORE_OPTIONS,
  },
  examples: [
    'vantage-auth keys list --state active --unused 90d',
    'vantage-auth keys list --expiring 30d --json',
    'vantage-auth keys list --search nightly --sort=-lastUsed',
  ],
  async run(given) {
    refuseToken(given.text('subject'), 'subject', 'sub')
    const filters = {
      subject: given.text('subject'),
      tenant: given.text('tenant'),
      // One of the choices.
      state: given.text('state') as KeyState | undefined,
      unusedFor: readDuration(given, 'unused'),
      expiringWithin: readDuration(given, 'expiring'),
      supersededInUse: given.is('superseded-in-use'),
      search: given.text('search'),
      // One of the choices.
      sort: given.text('sort') as KeySort,
    }
    await withKeyring(given, { reads: true }, (keyring) =>
      printList(given, {
        name: 'keys',
        async read(page) {
          const { keys, cursor } = await keyring.list({ ...filters, ...page })
          return { items: keys, cursor }
        },
        format: (keys, hasHeading) => formatKeys(keys, outputColumns(), hasHeading),
      }),
    )
  },
}
