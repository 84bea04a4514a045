import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatGrants } from '../../src/store/postgres/grants.js'
import { sql, temporaryFolder } from '../store/sqlite-files.js'
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
    [['grants'], 'FOR is missing'],
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
