import type { Keyring } from '../../keyring/contract.js'
import { type Command, UsageError } from '../command.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { notice } from '../terminal.js'
import { printRecord } from './record.js'
import { splitScopes } from './scopes.js'

export const edit: Command = {
  summary: 'rename a key, or take scopes away from it',
  about: [
    'Services hear of it as fast as of a revocation. A scope cannot be added: make another key for more. A key that is revoked or expired cannot be edited.',
    'A successor that there is already is a key of its own, and keeps its scopes.',
  ],
  options: {
    name: { value: 'TEXT', help: 'what people call the key from now on' },
    'no-name': { help: 'take the name away' },
    scopes: { value: 'LIST', help: 'the scopes that it keeps, separated by commas' },
    actor: { value: 'TEXT', help: 'who edits it, for the record' },
    ...STORE_OPTIONS,
  },
  operand: { name: 'ID' },
  examples: [
    'vantage-auth keys edit Cvr9ZyvaWKKY --scopes jobs:read',
    "vantage-auth keys edit Cvr9ZyvaWKKY --name 'nightly build' --actor ops",
  ],
  async run(given) {
    if (given.is('no-name') && given.text('name') !== undefined) {
      throw new UsageError('--name and --no-name do not go together')
    }
    const name = given.is('no-name') ? null : given.text('name')
    const list = given.text('scopes')
    const scopes = list === undefined ? undefined : splitScopes(list)
    if (name === undefined && scopes === undefined) throw new UsageError('--name or --scopes is missing')
    await withKeyring(given, {}, async (keyring: Keyring) => {
      const record = await keyring.edit(given.operand, { name, scopes, actor: given.text('actor') })
      printRecord(given, record)
      if (scopes !== undefined && record.replacedBy !== null) {
        notice(`Its successor ${record.replacedBy} is a key of its own, and keeps its scopes.`)
      }
    })
  },
}
