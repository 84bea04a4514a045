import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfigFile } from '../../src/cli/config-file.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { type ChildOutput, outputOf } from '../support/child-output.js'
import { createTestIssuer } from '../support/tokens.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = temporaryFolder()
const one = createTestIssuer({ issuer: 'https://one.example' })
const two = createTestIssuer({ issuer: 'https://two.example', alg: 'EdDSA' })
const ISSUERS = JSON.stringify([
  { issuer: one.issuer, jwks: one.jwks },
  { issuer: two.issuer, jwks: two.jwks, audience: 'reports', profile: 'lenient' },
])
const STORE = `sqlite:${folder.path('keys.db')}`

afterAll(() => folder.remove())

/** Writes a module, and returns its path. */
function module(name: string, text: string): string {
  writeFileSync(folder.path(name), text)
  return folder.path(name)
}

interface Run {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
}

async function explain(input: string, flags: readonly string[], { env = {}, cwd = ROOT }: Run = {}) {
  const loader = join(ROOT, 'node_modules/tsx/dist/loader.mjs')
  const main = join(ROOT, 'src/cli/main.ts')
  const child = spawn(process.execPath, ['--import', pathToFileURL(loader).href, main, 'explain', ...flags], {
    cwd,
    env: { ...process.env, VANTAGE_KEY_STORE: '', VANTAGE_ISSUER: '', VANTAGE_AUDIENCE: '', ...env },
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const ended: ChildOutput = await outputOf(child)
  expect(ended.stdout + ended.stderr).not.toContain(input.slice(-40))
  return ended
}

describe('--config', () => {
  let key: string
  let testKey: string

  beforeAll(async () => {
    const subject = { subject: 'user_7', scopes: ['jobs:read'] } as const
    const keyring = createKeyring(STORE)
    key = (await keyring.create(subject)).key
    await keyring.close()
    const other = createKeyring(STORE, { environment: 'test' })
    testKey = (await other.create(subject)).key
    await other.close()
  })

  test('takes issuers with their own key sets, and calls no hook', async () => {
    const path = module(
      'hooks.mjs',
      `const never = () => process.exit(77)
      setInterval(() => {}, 1000)
      console.log('printed by the module')
      export default { issuer: ${ISSUERS}, keys: false, skip: never, onError: never, isRevoked: never, optional: true }`,
    )
    const strict = await explain(one.mint(), ['--config', path])
    expect([strict.code, strict.stderr]).toEqual([0, 'printed by the module\n'])
    expect(strict.stdout).toMatch(/^accepted as user_123 .+isRevoked/)
    const lenient = await explain(two.mint({ aud: 'reports', jti: undefined }, { typ: 'JWT' }), [
      '--config',
      path,
      '--json',
    ])
    expect([lenient.code, JSON.parse(lenient.stdout).verdict]).toEqual([0, 'accepted'])
    const wrong = await explain(two.mint({}, { typ: 'JWT' }), ['--config', path])
    expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringMatching(/^refused because it is for .+\(audience\)/)])
  })

  test('takes a KeyStore that the module makes, from a relative path and an async function', async () => {
    const library = pathToFileURL(join(ROOT, 'src/index.ts')).href
    module(
      'own.mjs',
      `import { openKeyStore } from '${library}'
      export default async () => ({ issuer: false, keys: openKeyStore(${JSON.stringify(STORE)}) })`,
    )
    const cwd = folder.path('.')
    const { code, stdout, stderr } = await explain(key, ['--config', 'own.mjs'], { cwd })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^accepted as user_7 with jobs:read/)
    const fromElsewhere = relative(ROOT, folder.path('own.mjs'))
    expect((await explain(key, ['--config', fromElsewhere])).code).toBe(0)
  })

  test('takes CommonJS, also as TypeScript compiles it, and says that the environment differs', async () => {
    const options = `{ issuer: false, environment: 'test', keys: ${JSON.stringify(STORE)} }`
    const plain = module('plain.cjs', `module.exports = () => (${options})`)
    const compiled = module('compiled.cjs', `exports.__esModule = true; exports.default = ${options}`)
    for (const path of [plain, compiled]) {
      expect((await explain(testKey, ['--config', path])).code).toBe(0)
      const { code, stdout } = await explain(key, ['--config', path])
      expect([code, stdout.split('\n')[0]]).toEqual([
        1,
        expect.stringMatching(
          /^refused because it is a key of live, and the service accepts those of test \(environment\)/,
        ),
      ])
    }
  })

  test('a flag wins over the module, and the module over the environment', async () => {
    const path = module(
      'single.mjs',
      `export default ${JSON.stringify({ issuer: one.issuer, jwks: one.jwks, audience: 'mine' })}`,
    )
    const mine = one.mint({ aud: 'mine' })
    const env = { VANTAGE_AUDIENCE: 'theirs', VANTAGE_ISSUER: 'https://elsewhere.example', VANTAGE_KEY_STORE: 'false' }
    expect((await explain(mine, ['--config', path], { env })).code).toBe(0)
    const flag = await explain(mine, ['--config', path, '--audience', 'ours'], { env })
    expect(flag.stdout).toMatch(/^refused because it is for "mine" \(audience\)/)
    // The module's keys are those of the module's issuer.
    const issuer = await explain(two.mint({ aud: 'mine' }), ['--config', path, '--issuer', two.issuer], { env })
    expect([issuer.code, issuer.stdout]).toEqual([
      1,
      expect.stringMatching(/^undecided because its signature is not verified/),
    ])
  })

  test('closes a SQLite store that the module makes: nothing is left in a log beside it', async () => {
    const sqlite = pathToFileURL(join(ROOT, 'src/sqlite.ts')).href
    const path = module(
      'sqlite.mjs',
      `import { sqliteKeyStore } from '${sqlite}'
       export default { issuer: false, keys: sqliteKeyStore({ path: ${JSON.stringify(folder.path('keys.db'))} }) }`,
    )
    const before = readdirSync(folder.path('.'))
    expect((await explain(key, ['--config', path])).code).toBe(0)
    // libsql ends a connection when its statements are collected, which may be never: an empty log can stay.
    const log = folder.path('keys.db-wal')
    if (loadSqliteDriver().name === 'node:sqlite') expect(readdirSync(folder.path('.'))).toEqual(before)
    else expect(existsSync(log) ? statSync(log).size : 0).toBe(0)
  })

  test('is never found by itself', async () => {
    module('vantage-auth.config.mjs', 'process.exit(77)')
    const { code } = await explain(one.mint(), ['--issuer', one.issuer], { cwd: folder.path('.') })
    expect(code).toBe(1)
  })

  test('that ends the process, with 0, gives no answer', async () => {
    const { code, stdout, stderr } = await explain(key, ['--config', module('ends.mjs', 'process.exit(0)')])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^vantage-auth: the process was ended before the command was; look at the module of --config\n$/,
    )
  })

  test.each([
    ['absent.mjs', undefined, /is not there; a relative path starts at the working directory/],
    ['.', undefined, /is not a file/],
    ['none.mjs', 'export const options = {}', /must have a default export/],
    ['list.mjs', 'export default []', /must have a default export/],
    ['notes.txt', 'hello', /its name must end in \.mjs, \.cjs or \.js|cannot be loaded/],
    ['broken.mjs', 'export default {', /cannot be loaded: SyntaxError/],
    ['missing.mjs', "import 'no-such-package-anywhere'", /cannot be loaded: .*no-such-package-anywhere/],
    [
      'throws.mjs',
      "throw new Error('no connection to postgres://u:hunter2@db:5432/x?password=hunter2')",
      /cannot be loaded: Error: no connection/,
    ],
    ['unknown.mjs', 'export default { isuer: "x" }', /unknown option "isuer"; there are verifier/],
    ['spelt.mjs', 'export default { jwksURI: "x" }', /did you mean jwksUri\?/],
    [
      'long.mjs',
      'export default { keysetMaxStaleSeconds: 1 }',
      /unknown option "keysetMaxStaleSeconds"; did you mean keySetMaxStaleSeconds\?/,
    ],
    ['range.mjs', 'export default { clockToleranceSeconds: 999 }', /: clockToleranceSeconds must be a number/],
    ['wrong.mjs', "export default { profile: 'strict' }", /: profile must be/],
    ['store.mjs', 'export default { keys: 7 }', /: keys must be a KeyStore/],
    ['url.mjs', "export default { keys: 'mysql://u:hunter2@h/d' }", /: keys: A key store URL must be/],
    ['verifier.mjs', 'export default { verifier: {} }', /: verifier hides its options/],
  ])('refuses %s, with exit code 2', async (name, text, message) => {
    const path = text === undefined ? folder.path(name) : module(name, text)
    const { code, stdout, stderr } = await explain(key, ['--config', path])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(message)
    expect(stderr).toContain('--config')
    expect(stderr).not.toContain('hunter2')
  })

  test('takes TypeScript where Node, or a loader, can load it', async () => {
    const path = module('auth.ts', 'export default { issuer: false as const }')
    expect(await readConfigFile(path)).toEqual({ issuer: false })
  })
})
