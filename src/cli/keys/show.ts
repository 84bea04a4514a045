import { digestApiKey, KEY_PREFIXES, parseApiKey } from '../../api-key/format.js'
import { KeyNotFoundError } from '../../core/errors.js'
import { formatGiven } from '../../core/given.js'
import { checkId } from '../../keyring/arguments.js'
import type { Keyring } from '../../keyring/contract.js'
import type { KeyRecord } from '../../keyring/records.js'
import type { KeyStore } from '../../store/contract.js'
import { type Command, UsageError } from '../command.js'
import { readStandardInput } from '../standard-input.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { printRecord } from './record.js'

export const show: Command = {
  summary: 'one key, without the key itself',
  about: [
    'With - it reads a whole key, its hint (vak_live_Cvr9ZyvaWKKY…) or its id from standard input, and repeats none of it.',
  ],
  options: STORE_OPTIONS,
  operand: { name: 'ID' },
  examples: ['vantage-auth keys show Cvr9ZyvaWKKY', 'printenv API_KEY | vantage-auth keys show -'],
  async run(given) {
    const sought = given.operand === '-' ? readSought(await readStandardInput(LONGEST_INPUT)) : undefined
    await withKeyring(given, { reads: true }, async (keyring, store) => {
      const record = sought === undefined ? await keyring.get(given.operand) : await find(sought, keyring, store)
      if (record === undefined) {
        throw new KeyNotFoundError(`There is no key with the id ${formatGiven(given.operand)}`)
      }
      printRecord(given, record)
    })
  },
}

const LONGEST_INPUT = 4096

/** What somebody has of a key. */
interface Sought {
  readonly id: string
  /** How its hint begins, where that is known. */
  readonly start?: string
  /** Of the whole key. */
  readonly digest?: string
}

const HINT = new RegExp(`^(${KEY_PREFIXES.join('|')})([0-9A-Za-z]{12})(?:…|\\.\\.\\.)?$`)

function readSought(input: string): Sought {
  const text = input.trim().replace(/^(?:authorization:\s*)?bearer\s+/i, '')
  const parsed = parseApiKey(text)
  if (typeof parsed === 'object') return { id: parsed.id, digest: digestApiKey(text) }
  const [, start, id] = HINT.exec(text) ?? []
  if (start !== undefined && id !== undefined) return { id, start }
  if (parsed === 'checksum')
    throw new UsageError('standard input has a key that is cut or mistyped: its checksum is wrong')
  try {
    checkId(text)
  } catch {
    throw new UsageError('standard input has neither a whole key, nor the hint or the id of one')
  }
  return { id: text }
}

/** Ids and checksums can be made up by anybody: of a whole key, its digest has to be the stored one. */
async function find({ id, start = '', digest }: Sought, keyring: Keyring, store: KeyStore): Promise<KeyRecord> {
  const record = await keyring.get(id)
  if (record === undefined || !record.hint.startsWith(start)) {
    throw new KeyNotFoundError('There is no key for what standard input has')
  }
  if (digest !== undefined && (await store.find(id))?.digest !== digest) {
    throw new KeyNotFoundError('There is no key for what standard input has: the key with its id is another one')
  }
  return record
}
