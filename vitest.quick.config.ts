import { configDefaults, defineConfig, mergeConfig } from 'vitest/config'
import config from './vitest.config.js'

/**
 * `npm run test:quick`: the rooms below the adapters. What needs database servers, HTTP servers of six frameworks, a
 * process for each test or inputs by the thousand stays for `npm test`.
 */
export default mergeConfig(
  config,
  defineConfig({
    test: {
      exclude: [...configDefaults.exclude, 'test/{adapters,cli,generated,integration,package}/**'],
      env: { WITHOUT_POSTGRES: 'true' },
      // Loading vitest and the source anew for each file takes as long as a third of the tests.
      isolate: false,
    },
  }),
)
