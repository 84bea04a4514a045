export { type PostgresKeyStoreOptions, postgresKeyStore } from './store/postgres/store.js'
