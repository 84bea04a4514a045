import { defineConfig, type Options } from 'tsup'
import manifest from './package.json' with { type: 'json' }

type EsbuildOptions = Parameters<NonNullable<Options['esbuildOptions']>>[0]

/** What `exports` and `bin` of package.json name: a new entry is its source and its block there, and nothing here. */
const entries = [
  manifest.bin['vantage-auth'],
  ...Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.import.default])),
].map((file) => file.replace(/^(?:\.\/)?dist\/esm\/(.+)\.js$/, '$1.ts'))

/**
 * Without the white space that only readers need. All names stay, so that a stack trace says where; and no line is much longer
 * than 400 characters, since Node prints the line of an error that nobody caught. Shorter lines would break in other places in
 * the two formats, and the second copy would cost more. Who reads the package reads its declarations, which keep their comments.
 */
export function withoutWhitespace(options: EsbuildOptions): void {
  options.minifyWhitespace = true
  options.lineLimit = 400
}

// Few files, since each costs most of a millisecond to load: cut into 60 in place of 15, an adapter took a third longer. What
// several entries need is in chunks that they share: `instanceof AuthError` holds across them. scripts/commonjs.ts makes the
// CommonJS build of these files.
export default defineConfig({
  entry: entries,
  format: 'esm',
  outDir: 'dist/esm',
  splitting: true,
  target: 'node20',
  platform: 'node',
  clean: true,
  silent: true,
  esbuildOptions: withoutWhitespace,
  outExtension: () => ({ js: '.js' }),
})
