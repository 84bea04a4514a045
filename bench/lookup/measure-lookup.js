/**
 * API keys that a service has never seen: a decision on each, beside what the driver of the store does for its look-up alone.
 * The measuring process is plain Node, as a service is; another one makes the stores.
 */
import { fork } from 'node:child_process'
import { createRequire } from 'node:module'
import pg from 'pg'
import { createVerifier, postgresKeyStore, sqliteKeyStore } from '../shared/built-package.js'
import { headersOf } from '../shared/credentials.js'
import { DRIVER, OURS } from '../shared/names.js'
import { interleave, timeInFlight } from '../shared/timing.js'

/** @import { ChildProcess } from 'node:child_process' */
/** @import { KeyStore } from '../shared/built-package.js' */
/** @import { Figures, LookUpResults, Turn } from '../shared/types.d.ts' */

/**
 * @typedef {object} Place
 * @property {KeyStore} store
 * @property {(id: string) => unknown} find what the driver alone answers
 * @property {() => unknown} close
 */
/** @typedef {{ path: string, url: string, keys: Record<string, string[]> }} Stores */

const IN_FLIGHT = 64
/** Rounds before those that count: a look-up runs much code, which V8 compiles as it is used. */
const WARM_UPS = 10
/** As many connections as the store has. */
const POOL_SIZE = 2
/** The row of which a decision is made. */
const SELECT = `SELECT id, digest, subject, tenant, name, environment, scopes, created_at, created_by, expires_at,
  revoked_at, revoked_by, revoked_reason, replaces, replaced_by FROM vantage_keys WHERE id =`
const ID = { start: 'vak_live_'.length, end: 'vak_live_'.length + 12 }

/**
 * @param {{ rounds: number, keys: number }} effort `keys`: how many a turn looks up
 * @param {(store: string, figures: Figures) => void} tell
 * @returns {Promise<LookUpResults>} microseconds, by the name of the store
 */
export async function measureLookUps({ rounds, keys: count }, tell) {
  const { child, path, url, keys } = await startStores(count)
  const places = { SQLite: () => onSqlite(path), PostgreSQL: () => onPostgres(url) }
  /** @type {LookUpResults} */
  const results = {}
  try {
    for (const [name, open] of Object.entries(places)) {
      const place = open()
      results[name] = await interleave(
        turns(
          place,
          keys[name].map((key) => Buffer.from(key)),
        ),
        rounds,
        WARM_UPS,
      )
      await place.close()
      tell(name, results[name])
    }
  } finally {
    child.disconnect()
  }
  return results
}

/**
 * @param {Place} place
 * @param {Buffer[]} keys
 * @returns {Turn[]}
 */
function turns({ store, find }, keys) {
  const ids = keys.map((key) => key.subarray(ID.start, ID.end))
  const lines = headersOf(keys)
  return [
    {
      name: DRIVER,
      time: () =>
        timeInFlight(
          async (id) => {
            if ((await find(id)) === undefined) throw new Error('no such key')
          },
          ids,
          ids.length,
          IN_FLIGHT,
        ),
    },
    {
      name: OURS,
      async time() {
        // A new one, which has seen no key.
        const verifier = createVerifier({ issuer: false, keys: store })
        await verifier.ready()
        const time = await timeInFlight(
          (authorization) => verifier.authenticate({ authorization }),
          lines,
          lines.length,
          IN_FLIGHT,
        )
        await verifier.close()
        return time
      },
    },
  ]
}

/**
 * @param {string} path
 * @returns {Place}
 */
function onSqlite(path) {
  const store = sqliteKeyStore({ path })
  const database = openSqlite(path)
  const select = database.prepare(`${SELECT} ?`)
  return { store, find: (id) => select.get(id), close: () => store.close() }
}

/**
 * With the driver that the store has here.
 *
 * @param {string} path
 */
function openSqlite(path) {
  const sqlite = /** @type {any} */ (process.getBuiltinModule)?.('node:sqlite')
  const Database = sqlite?.DatabaseSync ?? createRequire(import.meta.url)('libsql')
  return new Database(path)
}

/**
 * @param {string} url
 * @returns {Place}
 */
function onPostgres(url) {
  const store = postgresKeyStore({ connectionString: url })
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE })
  return {
    store,
    find: async (id) => (await pool.query({ text: `${SELECT} $1`, values: [id] })).rows[0],
    close: () => Promise.all([store.close(), pool.end()]),
  }
}

/**
 * @param {number} count
 * @returns {Promise<Stores & { child: ChildProcess }>}
 */
function startStores(count) {
  const child = fork(new URL('./lookup-stores.js', import.meta.url), [String(count)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => reject(new Error(`the stores ended with code ${code}`)))
    child.once('message', (/** @type {Stores} */ stores) => resolve({ ...stores, child }))
  })
}
