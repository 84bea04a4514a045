import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>
let key: string
let id: string

const keys = (words: string[], input?: string) =>
  command.run(['keys', ...words], { cwd: folder.path('.'), ...(input !== undefined && { input }) })

beforeEach(async () => {
  folder = temporaryFolder()
  const created = await keys(['create', '--subject', 'ci', '--scopes', 'jobs:read,jobs:write', '--name', 'n', '--json'])
  const result = JSON.parse(created.stdout)
  key = result.key
  id = result.record.id
})

afterEach(() => folder.remove())

describe('keys edit', () => {
  test('renames a key and takes scopes away, and is in the audit trail', async () => {
    const edited = await keys(['edit', id, '--name', 'nightly', '--scopes', 'jobs:read', '--actor', 'ops'])
    expect([edited.code, edited.stderr]).toEqual([0, ''])
    expect(edited.stdout).toMatch(/^name {9}nightly$/m)
    expect(edited.stdout).toMatch(/^scopes {7}jobs:read$/m)
    const nameless = await keys(['edit', id, '--no-name', '--json'])
    expect(JSON.parse(nameless.stdout)).toMatchObject({ id, name: null, scopes: ['jobs:read'] })
    const { entries } = JSON.parse((await keys(['audit', '--id', id, '--json'])).stdout)
    expect(entries).toMatchObject([
      { action: 'edited', actor: null },
      { action: 'edited', actor: 'ops' },
      { action: 'create' },
    ])
  })

  test('says that a successor keeps its scopes', async () => {
    const { record } = JSON.parse((await keys(['rotate', id, '--json'])).stdout)
    const { code, stderr } = await keys(['edit', id, '--scopes', 'jobs:read'])
    expect([code, stderr]).toEqual([0, `Its successor ${record.id} is a key of its own, and keeps its scopes.\n`])
  })

  test.each<[string, string[], RegExp]>([
    ['nothing', [], /--name or --scopes is missing/],
    ['an added scope', ['--scopes', 'jobs:read,teams:write'], /--scopes can only be taken away: .*not "teams:write"/],
    ['an empty list of scopes', ['--scopes', ''], /--scopes must name at least one scope/],
    ['an empty name', ['--name', ''], /--name must be a text/],
    ['a name and none', ['--name', 'x', '--no-name'], /--name and --no-name do not go together/],
  ])('with %s exits 2, and changes nothing', async (_, words, fault) => {
    const { code, stdout, stderr } = await keys(['edit', id, ...words])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(fault)
    expect(rows(folder.path('vantage-auth.db'), 'SELECT name, scopes FROM vantage_keys')).toMatchObject([
      { name: 'n', scopes: 'jobs:read jobs:write' },
    ])
  })

  test('of a key that is revoked or unknown exits 1', async () => {
    await keys(['revoke', id])
    expect(await keys(['edit', id, '--name', 'x'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is revoked'),
    })
    expect(await keys(['edit', 'nope', '--name', 'x'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"nope"'),
    })
  })
})

describe('keys show -', () => {
  test.each<[string, () => string]>([
    ['a whole key', () => `${key}\n`],
    ['a header line', () => `Authorization: Bearer ${key}\r\n`],
    ['a hint', () => `vak_live_${id}…\n`],
    ['a hint with three points', () => `vak_live_${id}...`],
    ['a hint that is cut', () => `vak_live_${id}`],
    ['an id', () => ` ${id} `],
  ])('finds a key by %s', async (_, input) => {
    const { code, stdout, stderr } = await keys(['show', '-', '--json'], input())
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ id, subject: 'ci' })
    expect(stdout).not.toContain(key.slice(22))
  })

  test('refuses another key that bears the same id, and one that nobody has', async () => {
    sql(folder.path('vantage-auth.db'), `UPDATE vantage_keys SET digest = 'sha256:of another key'`)
    const forged = await keys(['show', '-'], key)
    expect([forged.code, forged.stdout]).toEqual([1, ''])
    expect(forged.stderr).toContain('the key with its id is another one')
    sql(folder.path('vantage-auth.db'), 'DELETE FROM vantage_keys')
    const unknown = await keys(['show', '-'], key)
    expect([unknown.code, unknown.stdout]).toEqual([1, ''])
    for (const { stderr } of [forged, unknown]) expect(stderr).not.toContain(id)
  })

  test.each<[string, () => string, number]>([
    ['a key that is cut', () => key.slice(0, -1), 2],
    ['a mistyped key', () => `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`, 2],
    ['a hint of the other environment', () => `vak_test_${id}…`, 1],
    ['two lines', () => `${id}\n${key}\n`, 2],
    ['nothing', () => '', 2],
    ['a long text', () => key.repeat(100), 2],
    ['bytes that are no text', () => '\ud800'.repeat(20), 2],
  ])('repeats nothing of %s', async (_, input, exitCode) => {
    const { code, stdout, stderr } = await keys(['show', '-'], input())
    expect([code, stdout]).toEqual([exitCode, ''])
    expect(stderr).toMatch(/^vantage-auth: keys show: /)
    for (const part of [id, key.slice(22, 30)]) expect(stderr).not.toContain(part)
  })
})
