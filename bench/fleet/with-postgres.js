/** A PostgreSQL server with an empty store, for one measurement. */
import { startPostgres } from '../../test/support/postgres.js'
import { createKeyring, postgresKeyStore } from '../shared/built-package.js'

/** @import { PostgresServer } from '../../test/support/postgres.js' */

/** @typedef {Required<ReturnType<typeof postgresKeyStore>>} PostgresStore it has every optional method */
/** @typedef {ReturnType<typeof createKeyring>} Keyring */
/** @typedef {{ server: PostgresServer, url: string, store: PostgresStore, keyring: Keyring }} Administration */

/**
 * @template T
 * @param {(administration: Administration) => Promise<T>} measure
 */
export async function withPostgres(measure) {
  const server = await startPostgres()
  try {
    const url = await server.emptyDatabase()
    const store = /** @type {PostgresStore} */ (
      postgresKeyStore({ connectionString: `${url}?application_name=administration` })
    )
    await store.migrate()
    try {
      return await measure({ server, url, store, keyring: createKeyring(store) })
    } finally {
      await store.close()
    }
  } finally {
    await server.stop()
  }
}
