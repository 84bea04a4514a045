/** Types of built-package.js. */

export * as expressAdapter from '../../adapters/express.js'
export * as fastifyAdapter from '../../adapters/fastify.js'
export * as koaAdapter from '../../adapters/koa.js'
export * from '../../src/index.js'
export { postgresKeyStore } from '../../src/postgres.js'
export { sqliteKeyStore } from '../../src/sqlite.js'
export { createTestIssuer } from '../../src/testing.js'
