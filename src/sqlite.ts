export { type SqliteKeyStoreOptions, sqliteKeyStore } from './stores/sqlite.js'
