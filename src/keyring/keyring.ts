import { checkClock, optionSetting } from '../config/checks.js'
import { checkVocabulary, readVocabulary } from '../config/vocabulary.js'
import { ArgumentError } from '../core/argument-error.js'
import { formatDuration } from '../core/duration.js'
import { DEFAULT_ENVIRONMENT, ENVIRONMENTS } from '../core/environments.js'
import { KeyNotFoundError, KeyStoreError } from '../core/errors.js'
import { formatGiven } from '../core/given.js'
import type { KeyStore, ListedKey } from '../store/contract.js'
import { openKeyStore } from '../store/open.js'
import { checkInTime } from '../store/write-limit.js'
import {
  checkEnvironment,
  checkId,
  checkNames,
  checkOptionalDate,
  checkOptionalText,
  checkText,
  checkWhole,
  DEFAULT_LIFE,
  parseAuditCursor,
  parseLife,
  readTimeout,
} from './arguments.js'
import { createChangeMethods } from './changes.js'
import type { Keyring, KeyringOptions } from './contract.js'
import { firstOfDays, lastDays } from './days.js'
import { readListFilters } from './list-filters.js'
import { createNewKey, showOnce } from './new-key.js'
import { type KeyRecord, toAuditEntry, toKeyRecord } from './records.js'
import { DEFAULT_ANSWER_TIME, listServices, readAnswerTime } from './services.js'
import { formatCursor } from './sort.js'
import { createTokenMethods } from './token-revocations.js'
import { readView, refuseOthers } from './view.js'
import { createWatches } from './watch.js'

const CREATE_OPTIONS = [
  'subject',
  'scopes',
  'name',
  'tenant',
  'expiresIn',
  'notAfter',
  'environment',
  'actor',
  'timeoutMs',
] as const
/** How many keys a total of usage names. */
const MOST_USED = 20

/**
 * Administers the keys of a store. Before its first operation it creates or updates the store's schema, unless
 * `migrate: false` says that others do.
 *
 * @param store a store, which stays its owner's to close, or a URL for {@link openKeyStore}
 * @throws {TypeError} for a wrong store or option
 */
export function createKeyring(store: KeyStore | string, options: KeyringOptions = {}): Keyring {
  checkNames('createKeyring()', options, ['scopes', 'documentedScopes', 'environment', 'expiresIn', 'migrate', 'clock'])
  const vocabulary = readVocabulary(options)
  const clock = options.clock === undefined ? () => Date.now() : checkClock(optionSetting(options.clock, 'clock'))
  const environment = checkEnvironment(options.environment ?? DEFAULT_ENVIRONMENT)
  const defaultLifeMs = parseLife(options.expiresIn, DEFAULT_LIFE)
  const keys = typeof store === 'string' ? openKeyStore(store) : checkKeyStore(store)
  const { migrate = true } = options
  if (typeof migrate !== 'boolean') throw new ArgumentError('migrate', 'must be true or false')
  let schema: Promise<unknown> | undefined
  let closed = false

  /** What failed is tried again by the next operation. */
  async function ready(): Promise<void> {
    if (closed) throw new KeyStoreError('The keyring is closed')
    schema ??= Promise.resolve(migrate ? keys.migrate?.() : keys.checkSchema?.())
    try {
      await schema
    } catch (error) {
      schema = undefined
      throw error
    }
  }

  async function read(id: string, now: number): Promise<ListedKey | undefined> {
    const [key] = await keys.list({ id, now, limit: 1 })
    return key
  }

  async function readRecord(id: string): Promise<KeyRecord | undefined> {
    const now = clock()
    const key = await read(id, now)
    return key && toKeyRecord(key, now)
  }

  async function readKnown(id: string, now: number): Promise<ListedKey> {
    const key = await read(id, now)
    if (key === undefined) throw new KeyNotFoundError(`There is no key with the id ${formatGiven(id)}`)
    return key
  }

  /** One of the store's optional methods, which an application's own store may lack. */
  function required<
    M extends
      | 'addTokenRevocation'
      | 'addTokenRevocationsOnce'
      | 'tokenRevocations'
      | 'readAudit'
      | 'readTotalUsage'
      | 'askServices',
  >(name: M): NonNullable<KeyStore[M]> {
    const method = keys[name]
    if (method === undefined) throw new KeyStoreError(`This key store cannot do that: it has no ${name}()`)
    return method.bind(keys) as NonNullable<KeyStore[M]>
  }

  const askServices = () => required('askServices')
  const watches = createWatches(keys, ready, readRecord, clock)

  const keyring: Keyring = {
    describe: () => ({
      scopes: vocabulary,
      environments: ENVIRONMENTS,
      environment,
      defaultLife: defaultLifeMs === null ? null : formatDuration(defaultLifeMs),
    }),

    async create(given) {
      checkNames('create()', given, CREATE_OPTIONS)
      const subject = checkText(given.subject, 'subject')
      const scopes = checkVocabulary(given.scopes, vocabulary, 'scopes')
      const name = checkOptionalText(given.name, 'name')
      const tenant = checkOptionalText(given.tenant, 'tenant')
      const createdBy = checkOptionalText(given.actor, 'actor')
      const lifeMs = given.expiresIn === undefined ? defaultLifeMs : parseLife(given.expiresIn, DEFAULT_LIFE)
      const life = { lifeMs, notAfter: checkOptionalDate(given.notAfter, 'notAfter') }
      const own = given.environment === undefined ? environment : checkEnvironment(given.environment)
      const limit = readTimeout(given.timeoutMs)
      await ready()
      checkInTime(limit)
      const { key, stored } = createNewKey(
        { environment: own, subject, scopes, name, tenant, createdBy, replaces: null },
        life,
        clock(),
      )
      await keys.insert(stored, limit)
      return showOnce(key, { record: toKeyRecord({ ...stored, lastUsedAt: null }, clock()) })
    },

    ...createChangeMethods(keys, ready, readKnown, askServices, clock),

    async get(id) {
      checkId(id)
      await ready()
      return readRecord(id)
    },

    async usage(id, given = {}) {
      checkId(id)
      checkNames('usage()', given, ['days'])
      const count = checkWhole(given.days ?? 30, 'days', 366)
      await ready()
      const now = clock()
      const { lastUsedAt } = await readKnown(id, now)
      const { total, days } = await keys.readUsage(id, firstOfDays(count, now))
      return { total, lastUsedAt: lastUsedAt === null ? null : new Date(lastUsedAt), days }
    },

    async totalUsage(given = {}) {
      checkNames('totalUsage()', given, ['subject', 'tenant', 'days'])
      const filters = readView(given)
      const count = checkWhole(given.days ?? 30, 'days', 366)
      await ready()
      const query = { ...filters, sinceDay: firstOfDays(count, clock()), limit: MOST_USED }
      const uses = await required('readTotalUsage')(query)
      return { total: uses.days.reduce((sum, day) => sum + day.count, 0), ...uses }
    },

    async list(given = {}) {
      const now = clock()
      const query = readListFilters(given, now)
      const { limit, sort } = query
      await ready()
      // One more than asked for tells whether there is another page.
      const found = await keys.list({ ...query, limit: limit + 1 })
      refuseOthers(found, query)
      const page = found.slice(0, limit)
      const last = page.at(-1)
      const days = given.usage === undefined ? undefined : lastDays(given.usage, now)
      return {
        keys: page.map((key) => toKeyRecord(key, now, days)),
        cursor: found.length > limit && last ? formatCursor(last, sort) : null,
      }
    },

    ...createTokenMethods(ready, required, clock),

    async audit(given = {}) {
      checkNames('audit()', given, ['id', 'subject', 'tenant', 'cursor', 'limit'])
      const view = readView(given)
      const { id, cursor } = given
      if (id !== undefined) checkId(id)
      const limit = checkWhole(given.limit ?? 100, 'limit', 1000)
      const before = cursor === undefined || cursor === null ? undefined : parseAuditCursor(cursor)
      await ready()
      const found = await required('readAudit')({
        ...view,
        limit: limit + 1,
        ...(id !== undefined && { keyId: id }),
        ...(before !== undefined && { before }),
      })
      refuseOthers(found, view)
      const page = found.slice(0, limit)
      return {
        entries: page.map(toAuditEntry),
        cursor: found.length > limit ? String(page.at(-1)?.seq) : null,
      }
    },

    async services(given = {}) {
      checkNames('services()', given, ['timeout'])
      const limitMs = readAnswerTime(given.timeout ?? DEFAULT_ANSWER_TIME, 'timeout')
      await ready()
      return listServices(askServices(), limitMs)
    },

    watch(listener) {
      if (typeof listener !== 'function') throw new ArgumentError('listener', 'must be a function')
      if (closed) throw new KeyStoreError('The keyring is closed')
      return watches.add(listener)
    },

    async close() {
      if (closed) return
      closed = true
      await watches.close()
      if (typeof store === 'string') await keys.close()
    },
  }
  return Object.defineProperty(keyring, KEYRING, { value: true })
}

/** Shared by the module formats of the package, and by its versions: `instanceof` is not. */
const KEYRING = Symbol.for('vantage-auth.keyring')

/** Whether `createKeyring()` made it, of either module format. It does not tell the version of the package. */
export function isKeyring(value: unknown): value is Keyring {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[KEYRING] === true
}

function checkKeyStore(store: unknown): KeyStore {
  const methods = ['find', 'insert', 'update', 'list', 'addUsage', 'readUsage', 'close'] as const
  const candidate = store as Partial<Record<string, unknown>> | null | undefined
  if (typeof store !== 'object' || methods.some((method) => typeof candidate?.[method] !== 'function')) {
    throw new TypeError(
      `createKeyring() needs a KeyStore or a store URL such as 'sqlite:./keys.db'; a KeyStore has the methods ${methods.join(', ')}`,
    )
  }
  return store as KeyStore
}
