import { defineConfig } from 'tsup'

/**
 * Each source file becomes one file of the same name in each format: `errors` is one module for all entries of a format,
 * so that `instanceof AuthError` holds across them, and `import()` stays `import()` in CommonJS, which jose needs.
 * A new entry is a file under `src` or `adapters` and its block in the `exports` of package.json; nothing changes here.
 */
const shared = {
  bundle: false,
  target: 'node20',
  platform: 'node',
  clean: true,
  silent: true,
  outExtension: () => ({ js: '.js' }),
} as const

export default defineConfig([
  { ...shared, format: 'esm', outDir: 'dist/esm', entry: ['src/**/*.ts', 'adapters/**/*.ts'] },
  {
    ...shared,
    format: 'cjs',
    outDir: 'dist/cjs',
    entry: ['src/**/*.ts', 'adapters/**/*.ts', '!src/cli/**'],
    define: { 'import.meta.url': 'importMetaUrl' },
    inject: ['scripts/import-meta-url.ts'],
  },
])
