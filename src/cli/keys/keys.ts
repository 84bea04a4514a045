import { readVocabulary } from '../../config/vocabulary.js'
import { ArgumentError } from '../../core/argument-error.js'
import { formatChoice } from '../../core/choice.js'
import { DEFAULT_ENVIRONMENT, ENVIRONMENTS, type Environment, isEnvironment } from '../../core/environments.js'
import type { Scope } from '../../core/scope.js'
import type { KeyRecord } from '../../keyring/records.js'
import {
  type Arguments,
  type Command,
  faultOfArguments,
  readDuration,
  readWhole,
  refuseToken,
  required,
  UsageError,
} from '../command.js'
import { print } from '../output.js'
import { openStore, STORE_OPTIONS, withKeyring } from '../store.js'
import { didYouMean } from '../suggestion.js'
import { printFields, printTable } from '../table.js'
import { formatInstant, notice, printJson } from '../terminal.js'
import { audit } from './audit.js'
import { due } from './due.js'
import { edit } from './edit.js'
import { grants } from './grants.js'
import { list } from './list.js'
import { revoke } from './revoke.js'
import { splitScopes } from './scopes.js'
import { services } from './services.js'
import { show } from './show.js'

const create: Command = {
  summary: 'make a key; standard output is the key, this once',
  about: [
    'The store is created when it is absent. Scopes besides the documented ones are listed in VANTAGE_SCOPES; with VANTAGE_DOCUMENTED_SCOPES=false a key has no others.',
  ],
  options: {
    subject: { value: 'TEXT', help: 'whom requests with the key stand for', required: true },
    scopes: { value: 'LIST', help: 'scopes, separated by commas', required: true },
    name: { value: 'TEXT', help: 'what people call the key' },
    tenant: { value: 'TEXT', help: 'tenant of the key' },
    environment: {
      value: 'NAME',
      help: `${formatChoice(ENVIRONMENTS)} (default ${DEFAULT_ENVIRONMENT})`,
      choices: ENVIRONMENTS,
      variable: 'VANTAGE_ENVIRONMENT',
    },
    expires: { value: 'DURATION', help: 'such as 12h, 90d or 1y, or never', default: '365d' },
    actor: { value: 'TEXT', help: 'who creates it, for the record' },
    ...STORE_OPTIONS,
  },
  examples: [
    'vantage-auth keys create --subject user_123 --scopes jobs:read,jobs:write',
    "vantage-auth keys create --subject ci --scopes jobs:read --name 'nightly build' --expires 90d",
  ],
  async run(given) {
    const environment = readEnvironment(given)
    const subject = required(given, 'subject')
    refuseToken(subject, 'subject', 'sub')
    const scopes = splitScopes(required(given, 'scopes'))
    const expires = given.text('expires')
    const expiresIn = expires === 'never' ? null : readDuration(given, 'expires', { otherwise: ', or never' })
    const { name, tenant, actor } = {
      name: given.text('name'),
      tenant: given.text('tenant'),
      actor: given.text('actor'),
    }
    await withKeyring(given, { mayCreate: true, environment }, async (keyring) => {
      // The keyring refuses what is no scope, and its message lists those that there are.
      const unchecked = scopes as readonly Scope[]
      const { key, record } = await keyring
        .create({ subject, scopes: unchecked, name, tenant, expiresIn, actor })
        .catch((error: unknown) => {
          throw withScopeAdvice(error, scopes)
        })
      printKey(given, key, { record })
      notice(`Key ${record.id} for ${record.subject} ${describeEnd(record)}.`)
    })
  },
}

const rotate: Command = {
  summary: 'make a successor; standard output is its key, this once',
  about: ['The successor has the subject, scopes, tenant, name and life of the old key.'],
  options: {
    overlap: {
      value: 'DURATION',
      help: 'how long the old key is still accepted, 0s for not at all',
      default: '24h',
    },
    actor: { value: 'TEXT', help: 'who rotates it, for the record' },
    ...STORE_OPTIONS,
  },
  absent: { expires: 'the successor has the life of the old key; make a new key for another life' },
  operand: { name: 'ID' },
  examples: ['vantage-auth keys rotate Cvr9ZyvaWKKY', 'vantage-auth keys rotate Cvr9ZyvaWKKY --overlap 7d'],
  async run(given) {
    const overlap = readDuration(given, 'overlap', { unit: 'h', minimumSeconds: 0 })
    await withKeyring(given, {}, async (keyring) => {
      const { key, record, previous } = await keyring.rotate(given.operand, { overlap, actor: given.text('actor') })
      printKey(given, key, { record, previous })
      notice(`Key ${record.id} for ${record.subject} ${describeEnd(record)}.`)
      notice(`The old key ${previous.id} ${describeEnd(previous)}.`)
    })
  },
}

const usage: Command = {
  summary: 'how often a key was used, day by day',
  about: ['Services count in memory and write every ten seconds.'],
  options: {
    days: { value: 'N', help: 'the last so many days (UTC), 1 to 366', default: '30' },
    ...STORE_OPTIONS,
  },
  operand: { name: 'ID' },
  examples: ['vantage-auth keys usage Cvr9ZyvaWKKY --days 90'],
  async run(given) {
    const days = readWhole(given, 'days')
    await withKeyring(given, { reads: true }, async (keyring) => {
      const uses = await keyring.usage(given.operand, { days })
      if (given.is('json')) return printJson(uses)
      printFields([
        ['total', String(uses.total)],
        ['last used', formatInstant(uses.lastUsedAt) ?? 'never'],
      ])
      if (uses.days.length === 0) return
      print('\n')
      printTable(
        ['DAY', 'USES'],
        uses.days.map(({ day, count }) => [day, String(count)]),
      )
    })
  },
}

const migrate: Command = {
  summary: 'create the store, or bring its schema up to date',
  about: [
    'On PostgreSQL the tables are in the schema "public", unless the URL ends in ?schema=NAME.',
    'It is safe to repeat, and to run while services use the store.',
  ],
  options: STORE_OPTIONS,
  examples: ['vantage-auth keys migrate --store sqlite:/var/lib/vantage/keys.db'],
  async run(given) {
    const store = openStore(given)
    try {
      const version = await store.migrate?.(notice)
      if (given.is('json')) printJson({ version: version ?? null })
      else print(`The key store is up to date (schema ${version}).\n`)
    } finally {
      await store.close()
    }
  },
}

/** `vantage-auth keys ...` */
export const keysCommands: Readonly<Record<string, Command>> = {
  create,
  list,
  show,
  edit,
  rotate,
  revoke,
  services,
  usage,
  due,
  audit,
  migrate,
  grants,
}

/** Which scope was meant, or where those of an application are named. */
function withScopeAdvice(error: unknown, scopes: readonly string[]): unknown {
  if (!(error instanceof ArgumentError) || error.argument !== 'scopes' || scopes.length === 0) return error
  const valid = readVocabulary()
  const hints = scopes.filter((scope) => !valid.includes(scope)).map((scope) => didYouMean(scope, valid))
  const hint = hints.find((one) => one !== '') ?? ' Scopes of your own are listed in VANTAGE_SCOPES.'
  return new UsageError(`${faultOfArguments(error)}.${hint}`)
}

function readEnvironment(given: Arguments): Environment {
  const flag = given.text('environment')
  const variable = process.env.VANTAGE_ENVIRONMENT?.trim() || undefined
  const value = flag ?? variable ?? DEFAULT_ENVIRONMENT
  if (isEnvironment(value)) return value
  const name = flag === undefined ? 'VANTAGE_ENVIRONMENT' : '--environment'
  throw new UsageError(`${name} must be ${formatChoice(ENVIRONMENTS)}`)
}

function printKey(given: Arguments, key: string, records: Record<string, KeyRecord>): void {
  if (given.is('json')) printJson({ key, ...records })
  else print(`${key}\n`)
  notice('The key is shown this once: store it now, where only its user can read it.')
}

function describeEnd(record: KeyRecord): string {
  if (record.expiresAt === null) return 'never expires'
  return record.state === 'expired' ? 'has ended' : `is accepted until ${formatInstant(record.expiresAt)}`
}
