/**
 * Mutation testing of the files that decide. `npm run mutation` runs all of them, with `-- --mutate src/core/scope.ts` one.
 *
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
  mutate: [
    'src/verifier/verifier.ts',
    'src/token/unverified-token.ts',
    'src/token/encoding.ts',
    'src/token/claim-checks.ts',
    'src/token/access-token.ts',
    'src/core/credentials.ts',
    'src/api-key/format.ts',
    'src/core/scope.ts',
    'src/token/issuer/issuer.ts',
    'src/token/issuer/discovery.ts',
    'src/token/issuer/back-off.ts',
    'src/token/issuer/loaded-key-set.ts',
    'src/token/issuer/key-set-fetcher.ts',
    'src/token/issuer/unknown-kids.ts',
    'src/token/issuer/moment.ts',
    'src/token/issuer/timers.ts',
    'src/verifier/caches.ts',
    'src/verifier/key-cache.ts',
    'src/verifier/refusals.ts',
    'src/verifier/shared-limit.ts',
    'src/verifier/token-cache.ts',
  ],
  testRunner: 'vitest',
  // `related` would follow the imports of each mutated file; the list of the configuration is short enough.
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  coverageAnalysis: 'perTest',
  // The tables of checks are static: names and reasons are what they decide with.
  ignoreStatic: false,
  concurrency: 1,
  // What is copied for a run; node_modules is a link.
  ignorePatterns: ['/*', '!/src', '!/adapters', '!/test', '!/package.json', '!/tsconfig.json', '!/vitest*.config.ts'],
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: 'reports/mutation/mutation.json' },
  incrementalFile: 'reports/mutation/incremental.json',
  thresholds: { high: 95, low: 90, break: 90 },
}
