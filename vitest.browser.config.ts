import { defineConfig } from 'vitest/config'
import config from './vitest.config.js'

/** The console in a real browser. */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    include: ['test/browser/**/*.test.ts'],
    exclude: [],
    // A story has many steps, and the browser shares two cores with the servers.
    testTimeout: 90_000,
    expect: { poll: { timeout: 20_000 } },
  },
})
