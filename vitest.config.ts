import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // The package by its own name is its source here, as in tsconfig.json: no test needs a build before it.
    alias: [
      { find: /^vantage-auth$/, replacement: source('./src/index.ts') },
      { find: /^vantage-auth\/(express|koa|fastify)$/, replacement: source('./adapters/$1.ts') },
      { find: /^vantage-auth\/(\w+)$/, replacement: source('./src/$1.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
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
