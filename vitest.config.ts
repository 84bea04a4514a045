import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import manifest from './package.json' with { type: 'json' }

/** The package's own names, as package.json exports them, lead to its source: no test needs a build before it. */
const alias = Object.entries(manifest.exports).flatMap(([subpath, entry]) => {
  if (typeof entry === 'string') return []
  const source = entry.import.default.replace(/^\.\/dist\/esm\/(.+)\.js$/, './$1.ts')
  return [
    {
      find: new RegExp(`^${manifest.name}${subpath.slice('.'.length)}$`),
      replacement: fileURLToPath(new URL(source, import.meta.url)),
    },
  ]
})

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    // They need a browser: vitest.browser.config.ts.
    exclude: ['test/browser/**'],
    globalSetup: 'test/support/page.ts',
    pool: 'forks',
    // Sized for two cores that something else may be using; a test that needs more says so itself.
    maxWorkers: 2,
    maxConcurrency: 2,
    // Ends what hangs; nothing measures with it.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    allowOnly: false,
  },
})
