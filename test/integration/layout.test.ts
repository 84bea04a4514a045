import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Files that keep every rule; those below break one each by importing them, or by what they hold. */
const GOOD: Record<string, string> = {
  'src/core/good.ts': 'export const good = 1\nexport type Good = number\n',
  'src/core/lazy.ts': [
    "import { createRequire } from 'node:module'",
    "import type { Request } from 'express'",
    "import { decodeJwt } from 'jose'",
    "export type Ask = (request: Request, pool: import('pg').Pool) => void",
    'export const decode = decodeJwt',
    "export const load = () => import('@opentelemetry/api')",
    "export const driver = () => createRequire(import.meta.url)('libsql')",
    "export const sqlite = () => import('node:sqlite')",
    'export const { version } = { version: process.version }',
  ].join('\n'),
  'src/cli/good.ts': "import { good } from '../core/good.js'\nexport const store = [process.env.STORE, good]\n",
  'src/config/good.ts': 'export const { env } = process\n',
  'src/good.ts': "export { good, type Good } from './core/good.js'\nexport type * from './core/lazy.js'\n",
  'adapters/good.ts': "import { good } from '../src/core/good.js'\nexport const adapter = good\n",
  'console/good.ts': "import { adapter } from '../adapters/good.js'\nexport const console = adapter\n",
  'console/page/good.ts':
    "import { type FunctionComponent, h } from 'preact'\nexport const page = h\nexport type C = FunctionComponent\n",
  'demo/good.ts': "import express from 'express'\nexport const app = express()\n",
}

/** The rule of dependency-cruiser that is broken, by which file, with which text. */
const BROKEN_IMPORTS: [rule: string, file: string, text: string][] = [
  ['room-core', 'src/core/b1.ts', "export { good } from '../config/good.js'"],
  ['room-core', 'src/core/b2.ts', "import type { env } from '../config/good.js'\nexport type Env = typeof env"],
  ['room-core', 'src/core/b3.ts', "export type Env = typeof import('../config/good.js').env"],
  ['room-store', 'src/store/b.ts', "export { good } from '../cli/good.js'"],
  ['room-token', 'src/token/b.ts', "export { env } from '../config/good.js'"],
  ['room-api-key', 'src/api-key/b.ts', "export { env } from '../config/good.js'"],
  ['room-config', 'src/config/b.ts', "export { good } from '../cli/good.js'"],
  ['room-presets', 'src/presets/b.ts', "export { good } from '../cli/good.js'"],
  ['room-verifier', 'src/verifier/b.ts', "export { good } from '../cli/good.js'"],
  ['room-http', 'src/http/b.ts', "export { good } from '../cli/good.js'"],
  ['room-keyring', 'src/keyring/b.ts', "export { good } from '../cli/good.js'"],
  ['room-receiver', 'src/receiver/b.ts', "export { good } from '../cli/good.js'"],
  ['room-testing', 'src/testing/b.ts', "export { good } from '../cli/good.js'"],
  ['room-without-a-place', 'src/b.ts', "export { attic } from './attic/attic.js'"],
  ['no-entry-in-a-room', 'src/cli/b.ts', "export { good } from '../good.js'"],
  ['no-entry-in-a-room', 'src/http/own-name.ts', "export { createVerifier } from 'vantage-auth'"],
  [
    'no-adapter-in-src',
    'src/testing/b2.ts',
    "import type { adapter } from '../../adapters/good.js'\nexport type A = typeof adapter",
  ],
  ['no-console-elsewhere', 'adapters/b3.ts', "export { console } from '../console/good.js'"],
  ['no-console-elsewhere', 'src/testing/b3.ts', "export const load = () => import('../../console/good.js')"],
  ['no-page-in-the-server', 'console/b.ts', "import type { C } from './page/good.js'\nexport type D = C"],
  ['dependencies-only', 'console/b2.ts', "export { h } from 'preact'"],
  ['no-circle', 'src/core/circle1.ts', "import type { Two } from './circle2.js'\nexport type One = Two | 1"],
  ['published-files-only', 'adapters/b.ts', "export const page = () => import('../demo/good.js')"],
  ['dependencies-only', 'src/core/b4.ts', "import type { Test } from 'supertest'\nexport type T = Test"],
  ['packages-that-exist', 'src/core/b5.ts', "export { absent } from 'no-such-package'"],
  ['optional-peers-are-lazy', 'adapters/b2.ts', "import express from 'express'\nexport const app = express()"],
  ['optional-peers-are-lazy', 'src/core/b6.ts', "export * from '@opentelemetry/api'"],
  ['sqlite-is-lazy', 'src/store/b2.ts', "export { DatabaseSync } from 'node:sqlite'"],
  ['no-environment-by-import', 'src/token/b2.ts', "export { env } from 'node:process'"],
]

/** The rule of Biome that is broken. */
const BROKEN_TEXTS: [rule: string, file: string, text: string][] = [
  ['lint/style/noProcessEnv', 'src/core/t1.ts', 'export const issuer = process.env.ISSUER'],
  ['lint/style/noProcessEnv', 'console/t.ts', 'export const issuer = process.env.ISSUER'],
  ['plugin', 'console/index.ts', 'export const entry = 1'],
  ['lint/style/noProcessEnv', 'adapters/t.ts', 'export const issuer = globalThis.process.env.ISSUER'],
  ['plugin', 'src/core/t2.ts', "const key = 'env'\nexport const issuer = process[key]"],
  ['plugin', 'src/core/t3.ts', 'export const { env } = process'],
  ['plugin', 'src/core/t4.ts', 'const { env: e } = globalThis.process\nexport const issuer = e.ISSUER'],
  ['plugin', 'src/t1.ts', 'export const entry = 1'],
  ['plugin', 'src/t2.ts', "import { good } from './core/good.js'\nexport { good }"],
  ['plugin', 'src/t3.ts', 'export interface Entry {}'],
  ['plugin', 'src/t4.ts', 'export function entry() {}'],
  ['plugin', 'src/t5.ts', 'console.log(1)'],
  ['lint/style/noDefaultExport', 'src/core/d1.ts', 'export default function f() {}'],
  ['lint/style/noDefaultExport', 'src/core/d2.ts', 'const a = 1\nexport { a as default }'],
  ['lint/style/useImportType', 'src/core/d3.ts', "import { type Request } from 'express'\nexport type R = Request"],
  ['lint/style/useNodejsImportProtocol', 'src/core/d4.ts', "export { join } from 'path'"],
]

const OTHERS: Record<string, string> = {
  'src/attic/attic.ts': 'export const attic = 1',
  'src/core/circle2.ts': "import type { One } from './circle1.js'\nexport type Two = One | 2",
  'src/index.ts': "export { good } from './core/good.js'",
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vantage-layout-'))
  for (const name of ['.dependency-cruiser.mjs', 'biome.json', 'package.json', 'rules', 'tsconfig.json']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const broken = [...BROKEN_IMPORTS, ...BROKEN_TEXTS].map(([, file, text]) => [file, `${text}\n`] as const)
  for (const [file, text] of [...Object.entries(GOOD), ...Object.entries(OTHERS), ...broken]) {
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(tool: string, ...words: string[]): Promise<string> {
  return new Promise((resolve) => {
    const options = { cwd: folder, maxBuffer: 2 ** 26 }
    execFile(join(ROOT, 'node_modules/.bin', tool), words, options, (_, stdout) => resolve(stdout))
  })
}

test('each rule of imports is broken by a file that breaks it, and by no other', async () => {
  const { summary } = JSON.parse(await run('depcruise', 'src', 'adapters', 'console', '--output-type', 'json'))
  const found: string[] = summary.violations.map(
    (v: { rule: { name: string }; from: string }) => `${v.rule.name} ${v.from}`,
  )
  const expected = BROKEN_IMPORTS.map(([rule, file]) => `${rule} ${file}`)
  expect([...new Set(found)].sort()).toEqual(expected.sort())
  const rules: string[] = summary.ruleSetUsed.forbidden.map((rule: { name: string }) => rule.name)
  expect(new Set(BROKEN_IMPORTS.map(([rule]) => rule))).toEqual(new Set(rules))
})

test('each rule of texts is broken by a file that breaks it, and by no other', async () => {
  const { diagnostics } = JSON.parse(
    await run('biome', 'lint', '--reporter=json', '--max-diagnostics=none', 'src', 'adapters', 'console'),
  )
  const rulesBroken = new Set(BROKEN_TEXTS.map(([rule]) => rule))
  const found = diagnostics
    .map(
      (d: { category: string; location: { path: string | { file: string } } }) =>
        `${d.category} ${typeof d.location.path === 'string' ? d.location.path : d.location.path.file}`,
    )
    .filter((line: string) => rulesBroken.has(line.split(' ')[0] as string))
  const expected = BROKEN_TEXTS.map(([rule, file]) => `${rule} ${file}`)
  expect([...new Set(found)].sort()).toEqual(expected.sort())
})

test.each(['CONTRIBUTING.md', 'README.md', 'SECURITY.md', 'package.json', 'stryker.config.mjs'])(
  'every file of the project that %s names is there',
  (name) => {
    const text = readFileSync(join(ROOT, name), 'utf8')
    const named =
      text.match(/(?<![\w./-])(?:adapters|bench|console|demo|docs|examples|rules|scripts|src|test)\/[\w./-]*[\w/]/g) ??
      []
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  },
)

test('every file that docs/mutation.md has a command mutate is there', () => {
  const text = readFileSync(join(ROOT, 'docs/mutation.md'), 'utf8')
  const mutated = [...text.matchAll(/--mutate ([\w./-]+)/g)].map(([, path = '']) => path)
  expect(mutated.length).toBeGreaterThan(1)
  expect(mutated.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test.each([
  ['express', 60],
  ['koa', 60],
  ['fastify', 90],
])('the adapter %s has fewer than %i lines of code', (name, limit) => {
  const text = readFileSync(join(ROOT, `adapters/${name}.ts`), 'utf8')
  const lines = linesOfCode(text)
  expect(lines).toBeGreaterThan(20)
  expect(lines).toBeLessThan(limit)
})

test('lines of code are those with more than a comment', () => {
  expect(linesOfCode("// a\n\n/** b\n * c\n */\nconst d = '// e' // f\n/* g */ const h = `i\n/* j */`\n")).toBe(3)
})

function linesOfCode(text: string): number {
  const file = ts.createSourceFile('adapter.ts', text, ts.ScriptTarget.Latest)
  const lines = new Set<number>()
  const visit = (node: ts.Node) => {
    const parts = node.getChildren(file).filter(({ kind }) => kind !== ts.SyntaxKind.JSDoc)
    for (const part of parts) visit(part)
    if (parts.length > 0 || node.getWidth(file) === 0) return
    const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line
    const last = file.getLineAndCharacterOfPosition(node.getEnd()).line
    for (let line = first; line <= last; line++) lines.add(line)
  }
  visit(file)
  return lines.size
}
