/**
 * The package as it is published, which is what the benchmarks measure. Types come from the sources
 * (built-package.d.ts), so that `npm run check` works without a build.
 */

export * as expressAdapter from '../../dist/esm/adapters/express.js'
export * as fastifyAdapter from '../../dist/esm/adapters/fastify.js'
export * as koaAdapter from '../../dist/esm/adapters/koa.js'
export * from '../../dist/esm/src/index.js'
export { postgresKeyStore } from '../../dist/esm/src/postgres.js'
export { sqliteKeyStore } from '../../dist/esm/src/sqlite.js'
export { createTestIssuer } from '../../dist/esm/src/testing.js'
