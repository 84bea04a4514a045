/**
 * Makes the CommonJS build out of the ESM build and its declarations.
 *
 * Code is translated file by file: a bundler cannot split CommonJS, and turns the `import()` that jose needs into `require`.
 *
 * Declarations are copied. TypeScript takes the format of a `.d.ts` from the nearest package.json, so the same text below a
 * `"type": "commonjs"` is what `require` of this package means. They are not bundled: a user's `declare module
 * 'vantage-auth'` has to reach the one `VantageScopes` that every entry reads, and a bundler of declarations renames and
 * re-exports it from a chunk.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build } from 'tsup'
import manifest from '../package.json' with { type: 'json' }
import { withoutWhitespace } from '../tsup.config.js'

const from = 'dist/esm'
const to = 'dist/cjs'

await build({
  config: false,
  clean: true,
  entry: [`${from}/**/*.js`, `!${from}/src/cli/**`],
  bundle: false,
  format: 'cjs',
  outDir: to,
  target: 'node20',
  platform: 'node',
  silent: true,
  esbuildOptions: withoutWhitespace,
  outExtension: () => ({ js: '.js' }),
  define: { 'import.meta.url': 'importMetaUrl' },
  inject: ['scripts/import-meta-url.ts'],
})

// attw finds the default export of a CommonJS file only where esbuild's call begins a line, as it does without minification.
for (const entry of Object.values(manifest.exports)) {
  if (typeof entry === 'string') continue
  const file = entry.require.default
  writeFileSync(file, readFileSync(file, 'utf8').replace(';__export(', ';\n__export('))
}

const declarations = Object.values(manifest.exports).flatMap((entry) =>
  typeof entry === 'string' ? [] : [entry.import.types],
)
const published = reachable(declarations)
for (const entry of declarations) if (entry !== manifest.exports['.'].import.types) importIndex(entry)

writeFileSync(join(to, 'package.json'), '{ "type": "commonjs" }\n')
for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts')) continue
  if (!published.has(join(from, file))) {
    rmSync(join(from, file))
    continue
  }
  const copy = join(to, file)
  mkdirSync(dirname(copy), { recursive: true })
  writeFileSync(copy, importJoseAsModule(readFileSync(join(from, file), 'utf8')))
}

/**
 * Lets a user's `declare module 'vantage-auth'` find what it adds to. TypeScript finds a module of that name only when a file
 * of the program imports it (TS2664), and the only import of many is an adapter.
 */
function importIndex(entry: string): void {
  const index = relative(dirname(entry), join(from, 'src/index.js'))
  writeFileSync(entry, `import '${index.startsWith('.') ? index : `./${index}`}'\n${readFileSync(entry, 'utf8')}`)
}

/** The declarations that a user's compiler can come to: those of the entries, and what they import. The others only add size. */
function reachable(entries: readonly string[]): ReadonlySet<string> {
  const found = new Set(entries.map((entry) => join(entry)))
  // The loop also walks what is added on the way.
  for (const file of found) {
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
      found.add(join(dirname(file), `${specifier}.d.ts`))
    }
  }
  return found
}

/** jose is published as ESM alone; a CommonJS declaration may name its types only with the format said (TS1541, TS1542). */
function importJoseAsModule(declarations: string): string {
  return declarations
    .replace(/from (['"])jose\1/g, "from 'jose' with { 'resolution-mode': 'import' }")
    .replace(/import\((['"])jose\1\)/g, "import('jose', { with: { 'resolution-mode': 'import' } })")
}
