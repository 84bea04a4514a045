/**
 * Gives the CommonJS build declarations of its own. TypeScript takes the format of a `.d.ts` from the nearest
 * package.json, so a copy of the files below a `"type": "commonjs"` is what `require` of this package means.
 *
 * They are not bundled: a user's `declare module 'vantage-auth'` has to reach the one `VantageScopes` that every entry
 * reads, and a bundler of declarations renames and re-exports it from a chunk.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const from = 'dist/esm'
const to = 'dist/cjs'

writeFileSync(join(to, 'package.json'), '{ "type": "commonjs" }\n')
for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts')) continue
  const copy = join(to, file)
  mkdirSync(dirname(copy), { recursive: true })
  writeFileSync(copy, importJoseAsModule(readFileSync(join(from, file), 'utf8')))
}

/** jose is published as ESM alone; a CommonJS declaration may name its types only with the format said (TS1541, TS1542). */
function importJoseAsModule(declarations: string): string {
  return declarations
    .replace(/from (['"])jose\1/g, "from 'jose' with { 'resolution-mode': 'import' }")
    .replace(/import\((['"])jose\1\)/g, "import('jose', { with: { 'resolution-mode': 'import' } })")
}
