import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>
const open = () => {
  folder = temporaryFolder()
}
const keys = (...words: string[]) => command.run(['keys', ...words], { cwd: folder.path('.') })
const keysOnTerminal = (...words: string[]) =>
  command.runOnTerminal(['keys', ...words], { cwd: folder.path('.'), columns: 200 })
const database = () => folder.path('vantage-auth.db')
const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

describe('a long list', () => {
  const COUNT = 2100

  beforeAll(async () => {
    open()
    await keys('migrate')
    sql(
      database(),
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${COUNT})
       INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
       SELECT printf('k%04d', i), 'x' || i, 's', 'live', 'jobs:read', 1750000000000 + i FROM n`,
    )
  })
  afterAll(() => folder.remove())

  const idsOf = (text: string) => text.match(/^k\d{4}/gm) ?? []

  test('goes to the end in a pipe', async () => {
    const { stdout, stderr, code } = await keys('list')
    expect([idsOf(stdout).length, stderr, code]).toEqual([COUNT, '', 0])
  })

  test('is a hundred on a terminal, with a note, unless --all or JSON is asked for', async () => {
    const shown = await keysOnTerminal('list')
    expect(idsOf(shown.stdout)).toHaveLength(100)
    expect(shown.stdout).toMatch(/These are the first 100\. There are more: --all, or --cursor \S+\n$/)
    expect(idsOf((await keysOnTerminal('list', '--all')).stdout)).toHaveLength(COUNT)
    expect(JSON.parse((await keysOnTerminal('list', '--json')).stdout).keys).toHaveLength(COUNT)
    expect(idsOf((await keysOnTerminal('list', '--limit', '120')).stdout)).toHaveLength(120)
  })

  test.each([['--json'], ['--jsonl'], ['--all']])('stops at --limit in all, and says so: %s', async (format) => {
    const words = format === '--all' ? [] : [format]
    const { stdout, stderr, code } = await keys('list', ...words, '--limit', '1500')
    expect(code).toBe(0)
    expect(stderr).toMatch(/^Stopped at --limit 1500\. There are more: --cursor \S+\n$/)
    const cursor = /--cursor (\S+)/.exec(stderr)?.[1] ?? ''
    const rest = await keys('list', ...words, '--cursor', cursor)
    expect(rest.stderr).toBe('')
    const read = (text: string): string[] =>
      format === '--json'
        ? JSON.parse(text).keys.map(({ id }: { id: string }) => id)
        : format === '--jsonl'
          ? linesOf(text).map((line) => JSON.parse(line).id)
          : idsOf(text)
    const [first, second] = [read(stdout), read(rest.stdout)]
    expect([first.length, second.length]).toEqual([1500, 600])
    expect(new Set([...first, ...second]).size).toBe(COUNT)
    if (format === '--json') expect([JSON.parse(stdout).cursor, JSON.parse(rest.stdout).cursor]).toEqual([cursor, null])
  })

  test('whose end is the limit has no more', async () => {
    expect((await keys('list', '--limit', String(COUNT))).stderr).toBe('')
  })

  test('of the audit trail likewise, of one key too', async () => {
    const all = linesOf((await keys('audit', '--jsonl')).stdout).map((line) => JSON.parse(line))
    expect(all).toHaveLength(rows(database(), 'SELECT * FROM vantage_audit').length)
    expect(all.length).toBeGreaterThan(2000)
    const stopped = await keys('audit', '--jsonl', '--limit', '1001')
    expect([linesOf(stopped.stdout).length, stopped.stderr]).toEqual([
      1001,
      expect.stringMatching(/^Stopped at --limit 1001\. There are more: --cursor \d+\n$/),
    ])
    for (const words of [['k0007'], ['--id', 'k0007'], ['k0007', '--id', 'k0007']]) {
      const { entries } = JSON.parse((await keys('audit', '--json', ...words)).stdout)
      expect(entries.map(({ keyId }: { keyId: string }) => keyId)).toEqual(['k0007'])
    }
  })

  test('that a reader does not read to its end is no error', async () => {
    const through = ['sh', '-c', '"$@" | head -n 1', 'sh']
    const ended = await command.run(['keys', 'list', '--jsonl'], { cwd: folder.path('.'), through })
    expect([linesOf(ended.stdout).length, ended.stderr, ended.code]).toEqual([1, '', 0])
  })

  test.each([
    [['list', '--limit', '0']],
    [['list', '--limit', '1e3']],
    [['list', '--limit', '-1']],
    [['list', '--limit', '']],
    [['list', '--limit', '5', '--all']],
    [['list', '--json', '--jsonl']],
    [['audit', 'k0007', '--id', 'k0008']],
    [['due', '--json', '--jsonl']],
  ])('takes no such arguments: %j', async (words) => {
    expect(await keys(...words)).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('keys due', () => {
  beforeEach(open)
  afterEach(() => folder.remove())

  const DAY = 86_400_000

  interface Row {
    id: string
    /** Days from now. */
    created?: number
    ends?: number | null
    revoked?: boolean
    replacedBy?: string
    used?: number
  }

  async function fill(...keysOfStore: Row[]): Promise<void> {
    expect((await keys('migrate')).code).toBe(0)
    const now = Date.now()
    const at = (days: number) => Math.round(now + days * DAY)
    for (const { id, created = -1, ends = 300, revoked = false, replacedBy, used } of keysOfStore) {
      const values = [
        `'${id}'`,
        `'x${id}'`,
        `'s'`,
        `'live'`,
        `'jobs:read'`,
        at(created),
        ends === null ? 'NULL' : at(ends),
        revoked ? at(-0.5) : 'NULL',
        replacedBy === undefined ? 'NULL' : `'${replacedBy}'`,
      ]
      sql(
        database(),
        `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at, expires_at, revoked_at, replaced_by)
         VALUES (${values.join(', ')})`,
      )
      if (used !== undefined) {
        sql(database(), `INSERT INTO vantage_usage VALUES ('${id}', '2026-01-01', 1, ${at(used)})`)
      }
    }
  }

  async function due(...words: string[]) {
    const { code, stdout } = await keys('due', '--json', ...words)
    const { expiring, rotation, unused, ...rest } = JSON.parse(stdout)
    expect(rest).toEqual({})
    const ids = (list: { id: string }[]) => list.map(({ id }) => id).sort()
    return { code, expiring: ids(expiring), rotation: ids(rotation), unused: ids(unused) }
  }

  test('names what ends within 30 days, or --within, also within the hour', async () => {
    await fill(
      { id: 'hour', ends: 0.02 },
      { id: 'month', ends: 29 },
      { id: 'later', ends: 31 },
      { id: 'ever', ends: null },
    )
    const none = { rotation: [], unused: [] }
    expect(await due()).toEqual({ code: 3, expiring: ['hour', 'month'], ...none })
    expect(await due('--within', '1h')).toEqual({ code: 3, expiring: ['hour'], ...none })
    expect(await due('--within', '40d')).toEqual({ code: 3, expiring: ['hour', 'later', 'month'], ...none })
    expect(await due('--within', '1m')).toEqual({ code: 0, expiring: [], ...none })
  })

  test('does not name what has ended, was revoked, or was replaced by a key that is good', async () => {
    await fill(
      { id: 'ended', ends: -0.1 },
      { id: 'revoked', ends: 1, revoked: true },
      { id: 'replaced', ends: 1, replacedBy: 'good' },
      { id: 'twice', ends: 1, replacedBy: 'middle' },
      { id: 'middle', ends: 1, replacedBy: 'good' },
      { id: 'good' },
    )
    expect(await due()).toEqual({ code: 0, expiring: [], rotation: [], unused: [] })
  })

  test('names what was replaced by a key that is revoked, has ended, is gone, or was itself replaced by such a key', async () => {
    await fill(
      { id: 'a', ends: 1, replacedBy: 'revoked' },
      { id: 'revoked', revoked: true },
      { id: 'b', ends: 1, replacedBy: 'ended' },
      { id: 'ended', ends: -0.1 },
      { id: 'c', ends: 1, replacedBy: 'gone' },
      { id: 'd', ends: 1, replacedBy: 'a' },
      { id: 'circle', ends: 1, replacedBy: 'circus' },
      { id: 'circus', ends: 1, replacedBy: 'circle' },
    )
    expect((await due()).expiring).toEqual(['a', 'b', 'c', 'circle', 'circus', 'd'])
  })

  test('names what is old only for --rotation, and what is unused for 90 days or --unused', async () => {
    await fill({ id: 'old', created: -400, used: -1 }, { id: 'idle', created: -100, ends: null }, { id: 'new' })
    expect(await due()).toEqual({ code: 3, expiring: [], rotation: [], unused: ['idle'] })
    expect(await due('--unused', '200d')).toEqual({ code: 0, expiring: [], rotation: [], unused: [] })
    expect(await due('--unused', '1y', '--rotation', '1y')).toEqual({
      code: 3,
      expiring: [],
      rotation: ['old'],
      unused: [],
    })
  })

  test('prints a table for each cause, and with --jsonl a document for each key and cause', async () => {
    await fill({ id: 'both', created: -100, ends: 5 }, { id: 'idle', created: -100 })
    const table = await keys('due')
    expect(table).toMatchObject({ code: 3, stderr: '' })
    expect(table.stdout).toMatch(
      /^Ends within 30d, without a good successor:\nID .*\nboth .*\nNot used for 90d:\nID .*\n(?:both .*\nidle|idle .*\nboth) .*\n$/,
    )
    const { code, stdout } = await keys('due', '--jsonl')
    const documents = linesOf(stdout).map((line) => JSON.parse(line))
    expect(code).toBe(3)
    expect(documents.map(({ due: cause, id }) => `${cause} ${id}`).sort()).toEqual([
      'expiring both',
      'unused both',
      'unused idle',
    ])
    expect(documents[0]).toMatchObject({ subject: 's', state: 'active' })
  })

  test('exits 1, not 3, for trouble with the store', async () => {
    expect(await keys('due')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no key store') })
  })
})
