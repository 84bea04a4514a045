import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { generateId } from '../../api-key/format.js'
import type { Configuration } from '../../config/options.js'
import { describeCause, LONGEST_REPORT } from '../../core/cause.js'
import { answerWithin } from '../../core/deadline.js'
import type { KeyStore } from '../../store/contract.js'
import { migrateCommand, shellWord } from '../../store/migrate-command.js'
import { sqlitePath } from '../../store/open.js'
import type { Connections } from '../../store/postgres/connections.js'
import { inspectPostgres, type PostgresInspection } from '../../store/postgres/inspection.js'
import { SCHEMA_VERSION as POSTGRES_VERSION } from '../../store/postgres/schema.js'
import { connectionsOf } from '../../store/postgres/store.js'
import { SchemaError } from '../../store/sql/schema.js'
import { loadSqliteDriver } from '../../store/sqlite/driver.js'
import { SCHEMA_VERSION as SQLITE_VERSION } from '../../store/sqlite/schema.js'
import { UsageError } from '../command.js'
import type { ServiceStore } from '../service.js'
import { type Examination, notMeasured, ok, warning, wrong } from './examination.js'
import { probePostgres, probeSqlite } from './feed.js'
import { examineRevocations } from './revocations.js'

/** A store answers within its own limits, which are longer than a service's patience. */
const LIMIT_MS = 20_000
const UNKNOWN = 'the store does not answer'
/** What hearing of changes takes. */
const READS_CHANGES = 'SELECT on vantage_changes'

/**
 * The store of a service: whether it answers, its schema, what the role may do with it, its triggers. It changes nothing.
 *
 * @param probe whether a key may be written back as it is, to measure how long that travels
 */
export async function examineStore(keys: ServiceStore, probe: boolean, config: Configuration): Promise<Examination[]> {
  const { timeoutMs } = config
  const migrate = migrateCommandOf(keys)
  if (keys.kind === 'none') return [ok('store', null, `none: every API key is refused, since ${keys.because}`)]
  if (keys.kind === 'memory') return [ok('store', null, keys.because)]
  if (keys.kind === 'absent') {
    const effect = keys.isDefault ? 'a service answers API keys 503' : 'a service does not start'
    const cure = `create it: ${migrate}; or name another with --store or VANTAGE_KEY_STORE, false for a service without API keys`
    return [wrong('store', null, `${keys.because}; ${effect}`, cure)]
  }
  let store: KeyStore
  try {
    store = keys.kind === 'own' ? keys.store : keys.open()
  } catch (error) {
    if (error instanceof UsageError) throw error
    return [wrong('driver', null, describeCause(error, LONGEST_REPORT), 'install it beside vantage-auth')]
  }
  try {
    const examined = await answerWithin(LIMIT_MS, 'the store', examineOpen(store, keys, migrate, probe, timeoutMs))
    return [...examined, ...(await examineRevocations(store, config, LIMIT_MS))]
  } catch (error) {
    return [wrong('store', null, describeCause(error, LONGEST_REPORT), 'services answer 503 until it is in order')]
  } finally {
    if (keys.kind === 'url') await store.close()
  }
}

async function examineOpen(
  store: KeyStore,
  keys: ServiceStore,
  migrate: string,
  probe: boolean,
  timeoutMs: number,
): Promise<Examination[]> {
  const connections = connectionsOf(store)
  if (connections !== undefined) {
    const driver = ok('driver', null, 'pg')
    let found: PostgresInspection
    try {
      found = await inspectPostgres(connections)
    } catch (error) {
      return [
        driver,
        wrong('store', null, describeCause(error, LONGEST_REPORT), 'services answer 503 until it answers'),
        ...unknown(UNKNOWN),
      ]
    }
    const feed = !probe
      ? notMeasured('feed', null, '--probe measures it, as a role that may write')
      : found.mayWriteKeys && found.version === POSTGRES_VERSION
        ? found.lacks.includes(READS_CHANGES)
          ? notMeasured('feed', null, `the role ${found.role} lacks ${READS_CHANGES}`)
          : await probePostgres(store, connections, timeoutMs)
        : notMeasured('feed', null, `the role ${found.role} may not write keys`)
    return [driver, ok('store', null, `${connections.name} answers`), ...judgePostgres(found, connections), feed]
  }
  const path = keys.kind === 'url' ? sqlitePath(keys.url) : undefined
  const driver = path === undefined ? [] : [ok('driver', null, loadSqliteDriver().name)]
  const reached = await examineReading(store, migrate, timeoutMs)
  const feed =
    path === undefined
      ? notMeasured('feed', null, 'only of the stores of the package that a URL names, or a PostgreSQL pool')
      : !probe
        ? notMeasured('feed', null, '--probe measures it, where the file may be written')
        : reached.every(({ result }) => result === 'ok')
          ? await probeSqlite(path, timeoutMs)
          : notMeasured('feed', null, 'the store is not in order')
  return [
    ...driver,
    ...reached,
    ...(path === undefined ? [notMeasured('grants', null, 'of a store of the application')] : [examineFile(path)]),
    feed,
  ]
}

/** A store that is known by its methods alone, or a file: its schema is checked as a service checks it. */
async function examineReading(store: KeyStore, migrate: string, timeoutMs: number): Promise<Examination[]> {
  try {
    if (store.checkSchema !== undefined) await answerWithin(LIMIT_MS, 'the store', store.checkSchema())
    await answerWithin(store.checkSchema ? LIMIT_MS : timeoutMs, 'the store', store.find(generateId()))
  } catch (error) {
    if (!(error instanceof SchemaError)) {
      return [
        wrong('store', null, describeCause(error, LONGEST_REPORT), 'services answer 503 until it is in order'),
        ...unknown(UNKNOWN).slice(0, 1),
        notMeasured('triggers', null, UNKNOWN),
      ]
    }
    const { found, message } = error
    const isCurrent = found.version === SQLITE_VERSION
    return [
      ok('store', null, 'it answers'),
      isCurrent
        ? ok('schema', null, `version ${found.version}`)
        : wrong('schema', null, message, cureOfVersion(found.version, SQLITE_VERSION, migrate)),
      isCurrent ? wrong('triggers', null, message, migrate) : notMeasured('triggers', null, 'the schema is another'),
    ]
  }
  const checked = store.checkSchema !== undefined
  return [
    ok('store', null, 'it answers'),
    checked
      ? ok('schema', null, 'as this version of vantage-auth needs it')
      : notMeasured('schema', null, 'the store does not say'),
    checked ? ok('triggers', null, 'all there') : notMeasured('triggers', null, 'the store does not say'),
  ]
}

/** The URL of a server may hold a password: a store names its own command. */
function migrateCommandOf(keys: ServiceStore): string {
  const path = 'url' in keys ? sqlitePath(keys.url) : undefined
  return path === undefined ? 'npx vantage-auth keys migrate' : migrateCommand(`sqlite:${path}`)
}

function cureOfVersion(found: number, needed: number, migrate: string): string {
  return found > needed ? 'update vantage-auth in the service' : migrate
}

function judgePostgres(found: PostgresInspection, { schema, migrateCommand }: Connections): Examination[] {
  const { role, version, missing, silentTriggers, lacks, exceeds, isAdministrator, lacksAsReceiver, foreign } = found
  const grantsOf = (flags: string, kind = 'service') =>
    `npx vantage-auth keys grants ${kind}${flags}${schema === 'public' ? '' : ` --schema ${shellWord(schema)}`}`
  const ofItsOwn = `give the service a role of its own, with what this prints: ${grantsOf('')}`
  const migrate = `as the role that owns the tables: ${migrateCommand}`
  const isThere = version !== 0
  return [
    foreign !== undefined
      ? wrong('schema', null, foreign, 'see the message: drop them, or make them your own')
      : version === undefined
        ? notMeasured('schema', null, `the role ${role} may not read vantage_schema`)
        : version !== POSTGRES_VERSION
          ? wrong(
              'schema',
              null,
              isThere ? `version ${version}, and this vantage-auth needs ${POSTGRES_VERSION}` : 'there is none',
              cureOfVersion(version, POSTGRES_VERSION, migrate),
            )
          : missing.length > 0
            ? wrong('schema', null, `version ${version}, without ${missing.join(', ')}`, migrate)
            : ok('schema', null, `version ${version}`),
    !isThere
      ? notMeasured('grants', null, 'there are no tables')
      : lacksAsReceiver !== undefined
        ? judgeReceiver(role, lacksAsReceiver, exceeds, (flags) => grantsOf(flags, 'receiver'))
        : lacks.length > 0 && !isAdministrator
          ? wrong(
              'grants',
              null,
              `the role ${role} lacks ${lacks.join(', ')}`,
              `as their owner, run what this prints: ${grantsOf(` --role ${shellWord(role)}`)}; where the role is a revocation receiver's: ${grantsOf(` --role ${shellWord(role)}`, 'receiver')}`,
            )
          : exceeds.length > 0
            ? warning(
                'grants',
                null,
                `the role ${role} ${isAdministrator && lacks.length > 0 ? `administers keys, and is no service's: it lacks ${lacks.join(', ')}, and may do` : 'may do'} more than a service needs: ${exceeds.join('; ')}`,
                ofItsOwn,
              )
            : ok('grants', null, `the role ${role} has what a service needs, and no more`),
    !isThere
      ? notMeasured('triggers', null, 'there are no tables')
      : silentTriggers.length > 0
        ? wrong(
            'triggers',
            null,
            `missing, switched off, or silent in some sessions: ${silentTriggers.join(', ')}; changes are not heard`,
            migrate,
          )
        : ok('triggers', null, 'all there, and they fire in every session'),
  ]
}

/** The role of a revocation receiver: no service can work with it, and it needs nothing that one needs. */
function judgeReceiver(
  role: string,
  lacks: readonly string[],
  exceeds: readonly string[],
  grantsOf: (flags: string) => string,
): Examination {
  const isOfReceiver = `the role ${role} is a revocation receiver's, and no service's`
  if (lacks.length > 0) {
    const cure = `as their owner, run what this prints: ${grantsOf(` --role ${shellWord(role)}`)}`
    return wrong('grants', null, `${isOfReceiver}: it lacks ${lacks.join(', ')}`, cure)
  }
  if (exceeds.length > 0) {
    const cure = `give the receiver a role of its own, with what this prints: ${grantsOf('')}`
    return warning('grants', null, `${isOfReceiver}: it may do more than a receiver needs: ${exceeds.join('; ')}`, cure)
  }
  return ok('grants', null, `${isOfReceiver}: it has what a receiver needs, and no more`)
}

/** SQLite keeps a log beside the file, so that a service has to write both. Nothing is written to find out. */
function examineFile(path: string): Examination {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    accessSync(dirname(path), constants.W_OK | constants.X_OK)
    return ok('grants', null, 'this user may write the file and its folder')
  } catch {
    return warning(
      'grants',
      null,
      'this user may not write the file and its folder',
      'run doctor as the user of the service; if it is the same one, give it the file and the folder: SQLite keeps its log beside the file',
    )
  }
}

function unknown(because: string): Examination[] {
  return ['schema', 'grants', 'triggers', 'feed'].map((check) => notMeasured(check, null, because))
}
