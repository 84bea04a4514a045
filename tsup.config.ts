import { defineConfig } from 'tsup'
import manifest from './package.json' with { type: 'json' }

/** What `exports` and `bin` of package.json name: a new entry is its source and its block there, and nothing here. */
const entries = [
  manifest.bin['vantage-auth'],
  ...Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.import.default])),
].map((file) => file.replace(/^(?:\.\/)?dist\/esm\/(.+)\.js$/, '$1.ts'))

const shared = {
  target: 'node20',
  platform: 'node',
  clean: true,
  silent: true,
  outExtension: () => ({ js: '.js' }),
} as const

export default defineConfig([
  // Few files, since each costs a tenth of a millisecond and more to load. `errors` is in a chunk that all entries share, so
  // that `instanceof AuthError` holds across them.
  { ...shared, format: 'esm', outDir: 'dist/esm', entry: entries, splitting: true },
  // File by file: the bundler cannot split CommonJS, and turns the `import()` that jose needs into `require`.
  {
    ...shared,
    format: 'cjs',
    outDir: 'dist/cjs',
    entry: ['src/**/*.ts', 'adapters/**/*.ts', '!src/cli/**'],
    bundle: false,
    define: { 'import.meta.url': 'importMetaUrl' },
    inject: ['scripts/import-meta-url.ts'],
  },
])
