export { type SqliteKeyStoreOptions, sqliteKeyStore } from './store/sqlite/store.js'
