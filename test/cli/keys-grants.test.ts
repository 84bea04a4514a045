import { readdirSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { formatGrants } from '../../src/store/postgres/grants.js'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>

beforeEach(() => {
  folder = temporaryFolder()
})

afterEach(() => folder.remove())

const keys = (...words: string[]) => command.run(['keys', ...words], { cwd: folder.path('.') })

describe('keys grants', () => {
  test('prints the statements, without a store', async () => {
    expect(await keys('grants', 'service')).toEqual({
      code: 0,
      stderr: '',
      stdout: `${formatGrants('service', { role: 'vantage_service', schema: 'public' }).join('\n')}\n`,
    })
    const names = { role: 'o"x', schema: 'auth' }
    const told = await keys('grants', 'reader', '--role', 'o"x', '--schema', 'auth', '--json')
    expect(JSON.parse(told.stdout)).toEqual({ ...names, statements: formatGrants('reader', names) })
    expect(readdirSync(folder.path('.'))).toEqual([])
  })

  test.each([
    [['grants'], 'KIND is missing'],
    [['grants', 'servcie'], 'Did you mean service?'],
    [['grants', 'service', '--role', 'public'], '--role must not be public'],
    [['grants', 'service', '--schema', 'pg_x'], '--schema must be the name of a schema'],
  ])('%j is exit 2', async (words, fault) => {
    const told = await keys(...words)
    expect(told).toMatchObject({ code: 2, stdout: '' })
    expect(told.stderr).toContain(fault)
  })
})

test.each([['show', 'Cvr9ZyvaWKKY'], ['list'], ['usage', 'Cvr9ZyvaWKKY'], ['audit'], ['due']])(
  'keys %s makes no tables in an empty file, nor a file beside it',
  async (...words) => {
    sql(folder.path('original.db'), 'CREATE TABLE another (x)')
    const before = readdirSync(folder.path('.'))
    const told = await keys(...words, '--store', 'sqlite:original.db')
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toMatch(/has no key schema; run: .*vantage-auth keys migrate/)
    expect(readdirSync(folder.path('.'))).toEqual(before)
  },
)

test.each([
  ['keys', 'rotate', 'Cvr9ZyvaWKKY'],
  ['keys', 'edit', 'Cvr9ZyvaWKKY', '--name', 'x'],
  ['keys', 'revoke', 'Cvr9ZyvaWKKY'],
  ['tokens', 'revoke', '--issuer', 'https://sso.example.com', '--token-id', 'x'],
  ['scan', 'leak.txt', '--revoke', '--yes'],
])('%s %s makes no tables where a wrong URL leads', async (...words) => {
  const store = folder.path('original.db')
  sql(store, 'CREATE TABLE another (x)')
  writeFileSync(folder.path('leak.txt'), generateApiKey('live').key)
  const told = await command.run([...words, '--store', 'sqlite:original.db'], { cwd: folder.path('.') })
  expect(told.code).toBe(1)
  expect(told.stderr).toMatch(/has no key schema; run: .*vantage-auth keys migrate/)
  expect(rows(store, 'SELECT name FROM sqlite_master')).toEqual([{ name: 'another' }])
})
