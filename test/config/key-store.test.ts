import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { resolveOptions } from '../../src/config/options.js'
import { messageOf, resolve, useEmptyFolder } from '../support/options.js'
import { createOwnStore } from '../support/stored-keys.js'

const folder = useEmptyFolder()

afterEach(() => void vi.useRealTimers())

const OPTIONS = new URL('../../src/config/options.ts', import.meta.url).href
const VERIFIER = new URL('../../src/verifier/verifier.ts', import.meta.url).href

/** Runs a program in the empty working directory. */
function run(program: string): { stdout: string; stderr: string } {
  const tsx = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
  const args = ['--no-warnings', '--import', tsx, '--input-type=module', '--eval', program]
  return spawnSync(process.execPath, args, { cwd: folder.path, encoding: 'utf8', timeout: 30_000 })
}

describe('the key store', () => {
  test('may be the application own, and stays its to close', () => {
    const store = createOwnStore()
    expect(resolve({ keys: store }).keys).toEqual({ store, owned: false, label: 'a KeyStore of the application' })
  })

  test.each([
    ['what it says of itself', () => 'redis://cache.example:6379', 'redis://cache.example:6379'],
    ['what it says, without the password', () => 'redis://u:hunter2@cache.example', 'redis://…@cache.example'],
    ['one line of it', () => 'a\n\u001b[31mb', 'a [31mb'],
    ['nothing where that is no text', () => ({ url: 'hunter2' }), 'a KeyStore of the application'],
    [
      'nothing where that throws',
      () => {
        throw new Error('hunter2')
      },
      'a KeyStore of the application',
    ],
  ])('of the application is told of as %s', (_, describe, label) => {
    expect(resolve({ keys: { ...createOwnStore(), describe } }).keys).toMatchObject({ label })
  })

  test('by URL is opened, and told of without a password', () => {
    writeFileSync('keys.db', '')
    expect(resolve({ keys: 'sqlite:./keys.db' }).keys).toMatchObject({ owned: true, label: 'sqlite:./keys.db' })
    const absolute = `sqlite:${folder.path}/keys.db`
    expect(resolve({ keys: absolute }).keys).toMatchObject({ owned: true, label: absolute })
    expect(resolve({ keys: 'memory:' }).keys).toMatchObject({ owned: true, label: 'memory:' })
    expect(resolve({ keys: 'postgres://u:hunter2@db.example:5433/x?password=hunter2' }).keys).toMatchObject({
      owned: true,
      label: 'postgres://u@db.example:5433/x',
    })
  })

  test('that is configured and absent is a mistake that names the cure, and is not created', () => {
    const message = messageOf({ keys: 'sqlite:./absent.db' })
    expect(message).toMatch(/^keys names a SQLite file that is not there/)
    expect(message).toContain(folder.path)
    expect(message).toContain('vantage-auth keys migrate')
    expect(messageOf({}, { VANTAGE_KEY_STORE: 'sqlite:absent.db' })).toMatch(/^VANTAGE_KEY_STORE names a SQLite file/)
    expect(existsSync('absent.db')).toBe(false)
  })

  test('is the file of the default name where there is one', () => {
    writeFileSync('vantage-auth.db', '')
    expect(resolveOptions({}, {}).keys).toMatchObject({ owned: true, label: 'sqlite:vantage-auth.db' })
  })

  test.each([
    ['the default file', '{}', '{}', /^vantage-auth\.db in the working directory: .*npm install libsql/],
    ['an option', '{ keys: "sqlite:vantage-auth.db" }', '{}', /^keys: .*npm install libsql/],
    ['a variable', '{}', '{ VANTAGE_KEY_STORE: "postgres://u:hunter2@h/db" }', /^VANTAGE_KEY_STORE: .*npm install pg/],
  ])(
    'without its driver is a mistake of the start, named by %s',
    (_, options, env, expected) => {
      writeFileSync('vantage-auth.db', '')
      // As where neither package was installed, on a Node without node:sqlite.
      const { stdout, stderr } = run(`
      import Module from 'node:module'
      const resolve = Module._resolveFilename
      Module._resolveFilename = function (name, ...rest) {
        if (name === 'libsql' || name === 'pg') throw Object.assign(new Error(name), { code: 'MODULE_NOT_FOUND' })
        return Reflect.apply(resolve, this, [name, ...rest])
      }
      process.getBuiltinModule = () => undefined
      const { resolveOptions } = await import(${JSON.stringify(OPTIONS)})
      try {
        resolveOptions(${options}, ${env})
      } catch (error) {
        console.log(error.message, error instanceof TypeError)
      }
    `)
      expect(stderr).toBe('')
      expect(stdout).toMatch(expected)
      expect(stdout).toMatch(/ true\n$/)
      expect(stdout).not.toContain('hunter2')
    },
    40_000,
  )

  test('that comes later and lacks its driver is told of on standard error', () => {
    const { stdout, stderr } = run(`
      import Module from 'node:module'
      import { writeFileSync } from 'node:fs'
      const resolve = Module._resolveFilename
      Module._resolveFilename = function (name, ...rest) {
        if (name === 'libsql') throw Object.assign(new Error(name), { code: 'MODULE_NOT_FOUND' })
        return Reflect.apply(resolve, this, [name, ...rest])
      }
      process.getBuiltinModule = () => undefined
      process.on('warning', () => {})
      const { createVerifier } = await import(${JSON.stringify(VERIFIER)})
      const verifier = createVerifier({ issuer: false })
      writeFileSync('vantage-auth.db', '')
      try {
        await verifier.authenticate({ authorization: 'Bearer vak_live_x' })
      } catch (error) {
        console.log(error.code)
      }
      await verifier.close()
    `)
    expect(stdout).toBe('ERR_VANTAGE_UNAVAILABLE\n')
    const lines = stderr.split('\n').filter((line) => line.startsWith('vantage-auth: '))
    expect(lines).toEqual([expect.stringMatching(/^vantage-auth: default key store failed: .*npm install libsql/)])
  }, 40_000)

  test('is missing in a folder whose name a terminal would obey', () => {
    const { stdout } = run(`
      import { mkdirSync } from 'node:fs'
      import { resolveOptions } from ${JSON.stringify(OPTIONS)}
      process.on('warning', ({ message }) => console.log(JSON.stringify(message)))
      mkdirSync('a\\u001b[2J\\u0007\\nb')
      process.chdir('a\\u001b[2J\\u0007\\nb')
      console.log(JSON.stringify(resolveOptions({}, {}).keys.missing))
      try {
        resolveOptions({ keys: 'sqlite:keys.db' }, {})
      } catch (error) {
        console.log(JSON.stringify(error.message))
      }
    `)
    expect(stdout.split('a [2J b')).toHaveLength(4)
    expect(stdout).not.toMatch(/\\u0|\\n/)
  }, 40_000)

  test('that is not configured is warned of once, with folder and command', () => {
    const { stdout, stderr } = run(`
      import { resolveOptions } from ${JSON.stringify(OPTIONS)}
      process.on('warning', ({ code, message }) => console.log(code, message))
      const looks = [{}, {}, { keys: false }].map((options) => resolveOptions(options, {}).keys)
      console.log(looks.map((keys) => keys && typeof keys.look()).join(' '))
    `)
    expect(stderr).toBe('')
    const [values, ...warnings] = stdout.trim().split('\n')
    expect(values).toBe('undefined undefined false')
    expect(warnings).toEqual([expect.stringMatching(/^VANTAGE_NO_KEY_STORE .*VANTAGE_KEY_STORE/)])
    expect(warnings[0]).toContain(`there is no vantage-auth.db in ${folder.path};`)
    expect(warnings[0]).toContain('npx vantage-auth keys create --subject user_123 --scopes jobs:read')
  }, 40_000)

  test('of the default name is looked for at most once a second while it is absent', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const { keys } = resolveOptions({}, {})
    if (keys === false || !('look' in keys)) throw new Error('a store was found')
    expect(keys.look()).toBeUndefined()
    writeFileSync('vantage-auth.db', '')
    vi.advanceTimersByTime(999)
    expect(keys.look()).toBeUndefined()
    vi.advanceTimersByTime(1)
    const found = keys.look()
    expect(found).toMatchObject({ owned: true, label: expect.stringContaining('sqlite:') })
    expect(keys.look()).toBe(found)
  })
})
