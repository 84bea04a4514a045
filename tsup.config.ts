import { defineConfig, type Options } from 'tsup'
import manifest from './package.json' with { type: 'json' }

type EsbuildOptions = Parameters<NonNullable<Options['esbuildOptions']>>[0]

/** What `exports` and `bin` of package.json name: a new entry is its source and its block there, and nothing here. */
const entries = [
  manifest.bin['vantage-auth'],
  ...Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.import.default])),
].map((file) => file.replace(/^(?:\.\/)?dist\/esm\/(.+)\.js$/, '$1.ts'))

/**
 * Where files are cut that would be too large. Each is published twice, as ESM and as CommonJS, nearly alike, and npm puts the
 * two beside each other: the second costs almost nothing while the first is still in the 32 kB that gzip looks back.
 */
export const cuts: readonly string[] = [
  'src/config/issuer-options.ts',
  'src/config/options.ts',
  'src/keyring/keyring.ts',
  'src/keyring/token-revocations.ts',
  'src/receiver/receiver.ts',
  'src/store/postgres/connections.ts',
  'src/store/postgres/feed.ts',
  'src/store/postgres/migrations.ts',
  'src/store/postgres/schema.ts',
  'src/store/postgres/triggers.ts',
  'src/store/sqlite/schema.ts',
  'src/testing/store-contract/keys.ts',
  'src/testing/store-contract/lists.ts',
  'src/testing/store-contract/sessions-and-events.ts',
  'src/testing/store-contract/tokens-and-audit.ts',
  'src/token/access-token.ts',
  'src/token/issuer/issuer.ts',
  'src/token/unverified-token.ts',
  'src/verifier/connected-store.ts',
]

/**
 * Without the white space that only readers need. All names stay, so that a stack trace says where; and no line is much longer
 * than 400 characters, since Node prints the line of an error that nobody caught. Shorter lines would break in other places in
 * the two formats, and the second copy would cost more. Who reads the package reads its declarations, which keep their comments.
 */
export function withoutWhitespace(options: EsbuildOptions): void {
  options.minifyWhitespace = true
  options.lineLimit = 400
}

// Few files all the same, since each costs a tenth of a millisecond and more to load. What several entries need is in chunks
// that they share: `instanceof AuthError` holds across them. scripts/commonjs.ts makes the CommonJS build of these files.
export default defineConfig({
  entry: [...entries, ...cuts],
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
