/**
 * Stores with keys for `npm run bench:lookup`, in a process of their own: `node --import tsx lookup-stores.js 2000` tells where
 * they are and what their keys are, and takes them away when it is disconnected.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withPostgres } from '../fleet/with-postgres.js'
import { createKeyring, sqliteKeyStore } from '../shared/built-package.js'

/** @import { Keyring } from '../fleet/with-postgres.js' */

const count = Number(process.argv[2])

/** @param {Keyring} keyring */
async function makeKeys(keyring) {
  const keys = []
  for (let i = 0; i < count; i++) {
    keys.push((await keyring.create({ subject: `service-${i}`, scopes: ['jobs:read', 'jobs:write'] })).key)
  }
  return keys
}

const folder = mkdtempSync(join(tmpdir(), 'vantage-lookup-'))
const path = join(folder, 'keys.db')
const disconnected = new Promise((resolve) => process.once('disconnect', resolve))
try {
  const store = sqliteKeyStore({ path })
  await store.migrate?.()
  const keys = { SQLite: await makeKeys(createKeyring(store)) }
  await store.close()
  await withPostgres(async ({ server, url, keyring }) => {
    const made = { ...keys, PostgreSQL: await makeKeys(keyring) }
    await server.sql(url, 'VACUUM ANALYZE vantage_keys')
    process.send?.({ path, url, keys: made })
    await disconnected
  })
} finally {
  rmSync(folder, { recursive: true })
}
process.exit()
