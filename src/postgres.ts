export { type PostgresKeyStoreOptions, postgresKeyStore } from './stores/postgres.js'
