import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestApiKey, parseApiKey } from '../../src/api-key/format.js'
import { formatTable } from '../../src/cli/table.js'
import { printable } from '../../src/cli/terminal.js'
import { SCHEMA_VERSION } from '../../src/store/sqlite/schema.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { type Circumstances, shippedCommand } from '../support/command-line.js'

const KEY = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>

beforeEach(() => {
  folder = temporaryFolder()
})

afterEach(() => folder.remove())

/** Runs the command in a process of its own, in the test's folder. */
const vantageAuth = (words: string[], circumstances?: Omit<Circumstances, 'cwd'>) =>
  command.run(words, { cwd: folder.path('.'), ...circumstances })

const keys = (...words: string[]) => vantageAuth(['keys', ...words])

const create = (...words: string[]) =>
  keys('create', '--subject', 'user_123', '--scopes', 'jobs:read,jobs:write', ...words)

const files = () => readdirSync(folder.path('.'))

describe('a key, from its creation to its end', () => {
  test('is created, shown, rotated, revoked and counted', async () => {
    const created = await create('--name', 'nightly build', '--actor', 'ops')
    expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^vak_live_[0-9A-Za-z]{61}\n$/) })
    const key = created.stdout.trim()
    const parsed = parseApiKey(key)
    if (typeof parsed === 'string') throw new Error(`the key is ${parsed}`)
    const { id } = parsed
    expect(created.stderr).toContain(`Key ${id} for user_123 is accepted until`)
    expect(created.stderr).not.toContain(key)
    expect(files()).toContain('vantage-auth.db')
    expect(rows(folder.path('vantage-auth.db'), 'SELECT digest, scopes FROM vantage_keys')).toMatchObject([
      { digest: digestApiKey(key), scopes: 'jobs:read jobs:write' },
    ])

    const shown = await keys('show', id)
    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(shown.stdout).toMatch(/^state {8}active$/m)
    expect(shown.stdout).toMatch(/^name {9}nightly build$/m)
    expect(shown.stdout).toMatch(/^created by {3}ops$/m)
    expect(shown.stdout).not.toContain(key.slice(21))

    const rotated = await keys('rotate', id, '--overlap', '1h', '--json')
    expect(rotated.code).toBe(0)
    const successor = JSON.parse(rotated.stdout)
    expect(successor).toMatchObject({
      key: expect.stringMatching(/^vak_live_/),
      record: { replaces: id, state: 'active', name: 'nightly build' },
      previous: { id, state: 'superseded' },
    })
    expect(rotated.stderr).not.toContain(successor.key)

    const again = await keys('rotate', id)
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.stderr).toContain(successor.record.id)

    const revoked = await keys('revoke', id, '--reason', 'leaked', '--json')
    expect(JSON.parse(revoked.stdout)).toMatchObject({ id, state: 'revoked', revokedReason: 'leaked' })
    const repeated = await keys('revoke', id, '--reason', 'another')
    expect(repeated).toMatchObject({ code: 0, stdout: expect.stringMatching(/^reason {7}leaked$/m) })

    sql(
      folder.path('vantage-auth.db'),
      `INSERT INTO vantage_usage VALUES ('${id}', strftime('%Y-%m-%d', 'now'), 42, 1000 * strftime('%s', 'now'))`,
    )
    const counted = await keys('usage', id)
    expect(counted).toMatchObject({ code: 0, stderr: '' })
    expect(counted.stdout).toMatch(/^total {6}42\nlast used {2}\d{4}-.*Z\n\nDAY {9}USES\n\d{4}-\d\d-\d\d {2}42\n$/)
    expect(JSON.parse((await keys('usage', id, '--days', '1', '--json')).stdout)).toMatchObject({
      total: 42,
      days: [{ count: 42 }],
    })
  }, 60_000)

  test('has what its flags say', async () => {
    const json = await create('--tenant', 'acme', '--environment', 'test', '--expires', 'never', '--json')
    const { key, record } = JSON.parse(json.stdout)
    expect(key).toMatch(/^vak_test_/)
    expect(record).toMatchObject({
      tenant: 'acme',
      environment: 'test',
      expiresAt: null,
      hint: `vak_test_${record.id}…`,
    })
    expect(JSON.stringify(record)).not.toContain('sha256')
    const life = async (duration: string) => {
      const { record } = JSON.parse((await create('--expires', duration, '--json')).stdout)
      return Date.parse(record.expiresAt) - Date.parse(record.createdAt)
    }
    expect(await life('90s')).toBe(90_000)
    expect(await life('1y')).toBe(365 * 86_400_000)
  }, 30_000)

  test('follows the environment', async () => {
    const env = {
      VANTAGE_KEY_STORE: 'sqlite:./other.db',
      VANTAGE_ENVIRONMENT: 'test',
      VANTAGE_SCOPES: 'reports:read',
    }
    const created = await vantageAuth(['keys', 'create', '--subject', 's', '--scopes', 'reports:read'], { env })
    expect(created.stdout).toMatch(/^vak_test_/)
    expect(files()).toContain('other.db')
    const wrong = await vantageAuth(['keys', 'create', '--subject', 's', '--scopes', 'jobs:read'], {
      env: { ...env, VANTAGE_ENVIRONMENT: 'prod' },
    })
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('VANTAGE_ENVIRONMENT must be live or test'),
    })
  }, 30_000)

  test('gives no documented scope where VANTAGE_DOCUMENTED_SCOPES takes them out', async () => {
    const create = (scopes: string, env: Record<string, string>) =>
      vantageAuth(['keys', 'create', '--subject', 's', '--scopes', scopes], { env })
    const env = { VANTAGE_DOCUMENTED_SCOPES: 'false', VANTAGE_SCOPES: 'reports:read' }
    expect(await create('reports:read', env)).toMatchObject({ code: 0 })
    const messages = [
      [await create('jobs:read', env), 'valid are reports:read'],
      [await create('jobs:read', { VANTAGE_DOCUMENTED_SCOPES: 'false' }), 'name your own in the option scopes or in'],
      [
        await create('jobs:read', { VANTAGE_DOCUMENTED_SCOPES: 'no' }),
        'VANTAGE_DOCUMENTED_SCOPES must be true, 1, false or 0',
      ],
    ] as const
    for (const [result, message] of messages) {
      expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) })
    }
  }, 60_000)
})

describe('list', () => {
  const insert = (id: string, subject: string, more = 'NULL, NULL, NULL') =>
    `INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at, expires_at, revoked_at, name)
       VALUES ('${id}', 'x', ${subject}, 'live', 'jobs:read', 1750000000000, ${more});`

  async function fill(statements: string): Promise<void> {
    expect((await keys('migrate')).code).toBe(0)
    sql(folder.path('vantage-auth.db'), statements)
  }

  test('prints an aligned table, pages, and JSON', async () => {
    await fill(
      insert('a', `'ann'`) + insert('bbbbbbbbbbbb', `'Größe 日本'`, `1760000000000, NULL, 'n'`) + insert('c', `'ann'`),
    )
    const table = await keys('list')
    expect(table).toMatchObject({ code: 0, stderr: '' })
    expect(table.stdout).toBe(
      [
        'ID            STATE    ENV   SUBJECT     NAME  TENANT  CREATED     EXPIRES            LAST USED  SCOPES',
        'c             active   live  ann         -     -       2025-06-15  never              never      jobs:read',
        'bbbbbbbbbbbb  expired  live  Größe 日本  n     -       2025-06-15  2025-10-09T08:53Z  never      jobs:read',
        'a             active   live  ann         -     -       2025-06-15  never              never      jobs:read',
        '',
      ].join('\n'),
    )
    const page = await keys('list', '--limit', '1', '--subject', 'ann')
    expect(page.stdout).toMatch(/^c {2}/m)
    const cursor = /--cursor (\S+)/.exec(page.stderr)?.[1] ?? ''
    const last = JSON.parse(
      (await keys('list', '--json', '--limit', '1', '--subject', 'ann', '--cursor', cursor)).stdout,
    )
    expect(last).toMatchObject({ keys: [{ id: 'a' }], cursor: null })
    const idle = JSON.parse((await keys('list', '--json', '--state', 'active', '--unused', '90d')).stdout)
    expect(idle.keys.map(({ id }: { id: string }) => id)).toEqual(['c', 'a'])
    expect(await keys('list', '--expiring', '30d')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'There are no such keys.\n',
    })
  }, 60_000)

  test('shows control sequences in a hand-written name instead of sending them', async () => {
    await fill(
      insert('a', `'x' || char(27) || '[2J' || char(10) || 'fake' || char(8238)`, `NULL, NULL, char(155) || 'n'`),
    )
    for (const words of [['list'], ['show', 'a'], ['revoke', 'a']]) {
      const { stdout, code } = await keys(...words)
      expect(code).toBe(0)
      expect(stdout).toContain('x\\u{1b}[2J\\u{a}fake\\u{202e}')
      expect(stdout).toContain('\\u{9b}n')
      expect(stdout).not.toMatch(/[^\P{C}\n]/u)
    }
  }, 30_000)
})

describe('help', () => {
  test.each<[string, string[], RegExp]>([
    ['the program', ['--help'], /^ {2}keys .*[\s\S]*Examples:\n {2}vantage-auth keys create/m],
    ['the group', ['keys', '--help'], /^ {2}migrate .*[\s\S]*Examples:\n {2}vantage-auth keys create/m],
    [
      'a command',
      ['keys', 'rotate', '--help'],
      /^ {2}--overlap DURATION .*[\s\S]*Examples:\n {2}vantage-auth keys rotate/m,
    ],
  ])('of %s has examples, and goes to standard output', async (_, words, text) => {
    const { stdout, stderr, code } = await vantageAuth(words)
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    expect(stdout).toMatch(text)
    expect(files()).toEqual([])
  })

  test('names the version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await vantageAuth(['--version'])).toEqual({ stdout: `${version}\n`, stderr: '', code: 0 })
  })
})

describe('keys that are due, and the audit trail', () => {
  test('keys due exits 0 while none is, and 3 when one was not used', async () => {
    const { record } = JSON.parse((await keys('create', '--subject', 's', '--scopes', 'jobs:read', '--json')).stdout)
    expect(await keys('due')).toMatchObject({ code: 0, stdout: '', stderr: 'No key is due.\n' })
    sql(folder.path('vantage-auth.db'), `UPDATE vantage_keys SET created_at = created_at - 91 * 86400000`)
    expect((await keys('due')).code).toBe(3)
    await keys('revoke', record.id)
    expect((await keys('due')).code).toBe(0)
  })

  test('keys list --superseded-in-use shows a replaced key that is still used', async () => {
    const { record } = JSON.parse((await keys('create', '--subject', 's', '--scopes', 'jobs:read', '--json')).stdout)
    await keys('rotate', record.id)
    expect((await keys('list', '--superseded-in-use')).stderr).toBe('There are no such keys.\n')
    sql(
      folder.path('vantage-auth.db'),
      `INSERT INTO vantage_usage VALUES ('${record.id}', '2026-11-25', 1, ${Date.now() + 60_000})`,
    )
    const { stdout } = await keys('list', '--superseded-in-use', '--json')
    expect(JSON.parse(stdout).keys.map(({ id }: { id: string }) => id)).toEqual([record.id])
  })

  test('keys audit tells who did what', async () => {
    const { record } = JSON.parse(
      (await keys('create', '--subject', 's', '--scopes', 'jobs:read', '--actor', 'ann', '--json')).stdout,
    )
    await keys('revoke', record.id, '--reason', 'leaked', '--actor', 'bob')
    const { entries, cursor } = JSON.parse((await keys('audit', '--id', record.id, '--json')).stdout)
    expect(cursor).toBeNull()
    expect(entries).toMatchObject([
      { action: 'revoke', keyId: record.id, actor: 'bob', reason: 'leaked' },
      { action: 'create', keyId: record.id, actor: 'ann', reason: null },
    ])
    const table = await keys('audit', '--limit', '1')
    expect(table.stdout).toMatch(
      /^TIME +ACTION +KEY +SUCCESSOR +ACTOR +REASON +DETAIL\n\S+Z +revoke +\S+ +- +bob +leaked +-\n$/,
    )
    expect(table.stderr).toMatch(/^Stopped at --limit 1\. There are more: --cursor \d+\n$/)
  })
})

describe('tokens', () => {
  const tokens = (...words: string[]) => vantageAuth(['tokens', ...words])
  const issuer = 'https://issuer.example'

  test('issued before now are also those of a clock that runs ahead, by 5 s or --clock-tolerance', async () => {
    await keys('migrate')
    const instant = async (...words: string[]) => {
      const startedAt = Date.now()
      const { stdout } = await tokens('revoke', '--issuer', issuer, '--subject', 'u', '--json', ...words)
      const ahead = Date.parse(JSON.parse(stdout).issuedBefore)
      return { atLeast: ahead - Date.now(), atMost: ahead - startedAt }
    }
    for (const [words, ms] of [
      [[], 5000],
      [['--issued-before', 'now'], 5000],
      [['--clock-tolerance', '0'], 0],
      [['--issued-before', 'now', '--clock-tolerance', '300'], 300_000],
    ] as const) {
      const { atLeast, atMost } = await instant(...words)
      expect(atLeast).toBeLessThanOrEqual(ms)
      expect(atMost).toBeGreaterThanOrEqual(ms)
    }
  })

  test.each<[string, string, string]>([
    ['--token-id', 'a\u0000b \u001b[2J\n', '$(rm) `x` "\'" \\'],
    ['--subject', '  ', 'Größe 日本'],
    ['--client-id', '-'.repeat(8192), '\ufeff-'],
    ['--session-id', 'a\u0000b', '$(rm) "'],
  ])('name %s as standard input has it, with any character', async (flag, first, second) => {
    await keys('migrate')
    const member =
      { '--token-id': 'tokenId', '--subject': 'subject', '--client-id': 'clientId', '--session-id': 'sessionId' }[
        flag
      ] ?? ''
    for (const [name, input] of [
      [first, `${first}\n`],
      [second, second],
      [second, `${second}\r\n`],
    ] as const) {
      const { stdout, code } = await vantageAuth(['tokens', 'revoke', '--issuer', issuer, flag, '-', '--json'], {
        input,
      })
      expect(code).toBe(0)
      expect(JSON.parse(stdout)[member]).toBe(name)
    }
    const { stdout } = await tokens('list')
    expect(stdout).not.toMatch(/[^\P{C}\n]/u)
  })

  test.each<[string, string[], string | Buffer]>([
    ['two texts', ['--subject', '-', '--issuer', '-'], 'u'],
    ['nothing', ['--subject', '-'], '\n'],
    ['what is no UTF-8', ['--subject', '-'], Buffer.from([0xff, 0xfe])],
    ['more than a token can hold', ['--subject', '-'], 'x'.repeat(8193)],
    ['a whole file', ['--subject', '-'], 'x'.repeat(100_000)],
  ])('are not named by %s from standard input', async (_, words, input) => {
    await keys('migrate')
    const { code, stderr } = await vantageAuth(['tokens', 'revoke', '--issuer', issuer, ...words], { input })
    expect(code).toBe(2)
    expect(stderr).not.toContain('xxxx')
    expect(JSON.parse((await tokens('list', '--json')).stdout).revocations).toEqual([])
  })

  test.each([
    [['--token-id', 'x', '--clock-tolerance', '5']],
    [['--session-id', 'x', '--clock-tolerance', '5']],
    [['--subject', 'u', '--clock-tolerance', '301']],
    [['--subject', 'u', '--clock-tolerance', '5s']],
    [['--subject', 'u', '--issued-before', '2026-11-25T12:00:00Z', '--clock-tolerance', '5']],
  ])('take no such tolerance: %j', async (words) => {
    const { code, stderr } = await tokens('revoke', '--issuer', issuer, ...words)
    expect(code).toBe(2)
    expect(stderr).toContain('--clock-tolerance')
  })

  test('revoke and list', async () => {
    await keys('migrate')
    const before = '2026-11-25T12:00:00Z'
    const { stdout } = await tokens('revoke', '--issuer', issuer, '--subject', 'u', '--issued-before', before, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ issuer, subject: 'u', issuedBefore: '2026-11-25T12:00:00.000Z' })
    expect((await tokens('revoke', '--issuer', issuer, '--token-id', 'jti', '--token-life', '1h')).code).toBe(0)
    expect((await tokens('revoke', '--issuer', issuer, '--client-id', 'c', '--reason', 'gone')).code).toBe(0)
    const { revocations } = JSON.parse((await tokens('list', '--json')).stdout)
    expect(revocations).toMatchObject([{ clientId: 'c', reason: 'gone' }, { tokenId: 'jti' }, { subject: 'u' }])
  })

  test('of a session are revoked all, or those that were issued before an instant', async () => {
    await keys('migrate')
    const revoke = async (...words: string[]) =>
      JSON.parse((await tokens('revoke', '--issuer', issuer, '--session-id', 'sid', '--json', ...words)).stdout)
    expect(await revoke('--issued-before', '2026-11-25T12:00:00Z')).toMatchObject({
      sessionId: 'sid',
      issuedBefore: '2026-11-25T12:00:00.000Z',
    })
    expect(Date.parse((await revoke('--issued-before', 'now')).issuedBefore)).toBeGreaterThan(Date.now() - 60_000)
    expect(await revoke()).toMatchObject({ sessionId: 'sid', subject: null, issuedBefore: null })
    expect((await tokens('list')).stdout).toMatch(/ SESSION .*\n\S+ +- +- +- +sid +- /)
  })

  test.each([
    ['no issuer', ['--subject', 'u']],
    ['nothing that is revoked', ['--issuer', issuer]],
    ['two things that are revoked', ['--issuer', issuer, '--subject', 'u', '--token-id', 'jti']],
    ['a session and a client', ['--issuer', issuer, '--session-id', 's', '--client-id', 'c']],
    ['an instant for one token', ['--issuer', issuer, '--token-id', 'jti', '--issued-before', 'now']],
    ['an issuer that is empty', ['--issuer', '', '--subject', 'u']],
    ['an instant without a time zone', ['--issuer', issuer, '--subject', 'u', '--issued-before', '2026-11-25T12:00']],
  ])('revoke refuses %s', async (_, words) => {
    await keys('migrate')
    const { code, stderr } = await tokens('revoke', ...words)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^vantage-auth: tokens revoke: .*--(issuer|token-id|session-id|issued-before)/)
  })
})

describe('a wrong argument', () => {
  const needed = ['--subject', 's', '--scopes', 'jobs:read']

  test.each<[string, string[], RegExp]>([
    ['no command', [], /a command is missing/],
    ['an unknown group', ['frob'], /there is no such command/],
    ['a name that every object has', ['constructor'], /there is no such command/],
    ['no command of the group', ['keys'], /keys: a command is missing/],
    [
      'an unknown command',
      ['keys', 'delete'],
      /^vantage-auth: keys: there is no such command.*\n\nUsage: vantage-auth keys COMMAND \[options\]\nMore: vantage-auth keys --help\n$/,
    ],
    [
      'another life for a successor',
      ['keys', 'rotate', 'a', '--expires', '90d'],
      /Unknown option '--expires': the successor has the life of the old key/,
    ],
    ['an unknown flag', ['keys', 'create', ...needed, '--bogus'], /keys create: Unknown option '--bogus'/],
    ['a flag without its value', ['keys', 'create', '--subject'], /'--subject <value>' argument missing/],
    ['no subject', ['keys', 'create', '--scopes', 'jobs:read'], /--subject is missing/],
    ['an empty subject', ['keys', 'create', '--scopes', 'jobs:read', '--subject='], /--subject must be a text/],
    ['no scopes', ['keys', 'create', '--subject', 's'], /--scopes is missing/],
    [
      'an empty list of scopes',
      ['keys', 'create', '--subject', 's', '--scopes', ','],
      /--scopes must name at least one/,
    ],
    [
      'a list of scopes with one unknown',
      ['keys', 'create', '--subject', 's', '--scopes', 'jobs:read,jobs:wirte'],
      /--scopes must be known scopes, not "jobs:wirte"; valid are jobs:read, .*teams:write\. Did you mean jobs:write\?$/m,
    ],
    [
      'a scope of an application that is not listed',
      ['keys', 'create', '--subject', 's', '--scopes', 'reports:read'],
      /not "reports:read"; valid are .*teams:write\. Scopes of your own are listed in VANTAGE_SCOPES\.$/m,
    ],
    [
      'an unknown duration',
      ['keys', 'create', ...needed, '--expires', 'soon'],
      /--expires must be a duration .*or never/,
    ],
    ['a life without a unit', ['keys', 'create', ...needed, '--expires', '90'], / 90d\?/],
    ['an overlap without a unit', ['keys', 'rotate', 'x', '--overlap', '5'], / 5h\?/],
    ['an overlap of zero without a unit', ['keys', 'rotate', 'x', '--overlap', '0'], / 0s\?/],
    ['a life in months', ['keys', 'create', ...needed, '--expires', '3M'], / 90d\?/],
    ['a span without a unit', ['keys', 'list', '--unused', '90'], / 90d\?/],
    [
      'an unknown environment',
      ['keys', 'create', ...needed, '--environment', 'prod'],
      /--environment must be live or test/,
    ],
    [
      'a store that would be gone',
      ['keys', 'create', ...needed, '--store', 'memory:'],
      /--store names a store in memory/,
    ],
    [
      'a store URL of another kind',
      ['keys', 'create', ...needed, '--store', './x.db'],
      /--store: A key store URL must be/,
    ],
    ['an argument too many', ['keys', 'list', 'x'], /too many arguments/],
    ['no id', ['keys', 'show'], /ID is missing/],
    ['an unknown state', ['keys', 'list', '--state', 'dead'], /--state must be one of active/],
    ['a limit that is no number', ['keys', 'list', '--limit', '1e3'], /--limit must be a whole number/],
    ['an overlap that is no duration', ['keys', 'rotate', 'x', '--overlap', 'soon'], /--overlap must be a duration/],
  ])('%s: usage on standard error, exit code 2, and nothing written', async (_, words, fault) => {
    if (words[1] === 'list' || words[1] === 'show') writeFileSync(folder.path('vantage-auth.db'), '')
    const before = files()
    const { stdout, stderr, code } = await vantageAuth(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(fault)
    expect(stderr).toMatch(/^Usage: vantage-auth /m)
    if (words[1] === 'create') expect(files()).toEqual(before)
  })

  test('is told from a mistake of the program, which exits with 1 and prints no usage', async () => {
    await create()
    // A program in which instants cannot be written: the engine throws a TypeError.
    const mistake = encodeURIComponent('Date.prototype.toISOString = undefined')
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${mistake}` }
    const { code, stderr } = await vantageAuth(['keys', 'list'], { env })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^vantage-auth: keys list: it failed unexpectedly; .*\n$/),
    ])
  })

  test.each<[string, string[]]>([
    ['as an id', ['keys', 'revoke', KEY]],
    ['beside the flags', ['keys', 'list', KEY]],
    ['as a flag', ['keys', 'list', `--${KEY}`]],
    ['as a command', [KEY]],
    ['as a name', ['keys', 'create', '--subject', 's', '--scopes', KEY]],
  ])('that is a key, %s, is refused and not repeated', async (_, words) => {
    writeFileSync(folder.path('vantage-auth.db'), '')
    const { stdout, stderr, code } = await vantageAuth(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toContain(KEY.slice(21))
  })

  const BODY = KEY.slice('vak_live_'.length)

  test.each<[string, string[], number]>([
    ['as an id', ['keys', 'revoke', BODY], 1],
    ['as an id, cut', ['keys', 'show', BODY.slice(0, 40)], 1],
    ['beside the flags', ['keys', 'list', BODY], 2],
    ['as a flag', ['keys', 'list', `--${BODY}`], 2],
    ['as a flag with a value', ['tokens', 'list', `--${BODY}=x`], 2],
    ['as the value of a flag that has none', ['keys', 'list', `--json=${BODY}`], 2],
    ['as a group', [BODY], 2],
    ['as a command', ['keys', BODY], 2],
    ['as a scope', ['keys', 'create', '--subject', 's', '--scopes', `jobs:read,${BODY}`], 2],
    ['as a state', ['keys', 'list', '--state', BODY], 2],
    ['as a duration', ['keys', 'list', '--unused', BODY], 2],
    ['as a cursor', ['keys', 'list', '--cursor', BODY], 2],
    ['as an environment', ['keys', 'create', '--subject', 's', '--scopes', 'jobs:read', '--environment', BODY], 2],
    ['as a store', ['keys', 'list', '--store', BODY], 2],
    ['as the file of a store', ['keys', 'list', '--store', `sqlite:${BODY}`], 1],
  ])('that is a key without its prefix, %s, is refused and not repeated', async (_, words, exitCode) => {
    await keys('migrate')
    const { stdout, stderr, code } = await vantageAuth(words)
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' })
    expect(stderr).toMatch(/^vantage-auth: /)
    for (let i = 12; i + 8 <= BODY.length; i++) expect(stderr).not.toContain(BODY.slice(i, i + 8))
  })

  const revoke = (...words: string[]) => ['tokens', 'revoke', '--issuer', 'https://issuer.example', ...words]

  test.each<[string, string[]]>([
    ['a subject', ['keys', 'create', ...needed, '--subject', KEY]],
    ['a name', ['keys', 'create', ...needed, '--name', BODY]],
    ['a filter', ['keys', 'list', '--subject', BODY]],
    ['a token', revoke('--token-id', KEY)],
    ['an issuer', ['tokens', 'revoke', '--subject', 's', '--issuer', BODY]],
    ['a reason', revoke('--subject', 's', '--reason', `leaked ${KEY}`)],
  ])('that is or holds a key, as %s, is refused, not repeated and not stored', async (_, words) => {
    await keys('migrate')
    const { stdout, stderr, code } = await vantageAuth(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^vantage-auth: .*--[a-z-]+ must not hold an API key/)
    for (let i = 12; i + 8 <= BODY.length; i++) expect(stderr).not.toContain(BODY.slice(i, i + 8))
    expect(JSON.stringify(rows(folder.path('vantage-auth.db'), 'SELECT * FROM vantage_audit'))).toBe('[]')
  })

  const TOKEN = createTestIssuer().mint({ scope: 'jobs:read' })

  test.each<[string, string[], string]>([
    ['a token', revoke('--token-id', TOKEN), '--token-id must be no token; give its jti claim'],
    ['a subject', revoke('--subject', TOKEN), '--subject must be no token; give its sub claim'],
    ['a client', revoke('--client-id', `Bearer ${TOKEN}`), '--client-id must be no token; give its client_id claim'],
    [
      'an issuer',
      ['tokens', 'revoke', '--subject', 's', '--issuer', TOKEN],
      '--issuer must be no token; give its iss claim',
    ],
    ['the subject of a key', ['keys', 'create', ...needed, '--subject', TOKEN], '--subject must be no token'],
    ['the subject of keys', ['keys', 'list', '--subject', TOKEN], '--subject must be no token'],
  ])('that is a whole access token, as %s, is refused with the claim to give', async (_, words, fault) => {
    await keys('migrate')
    const { stdout, stderr, code } = await vantageAuth(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(fault)
    for (const part of TOKEN.split('.')) expect(stderr).not.toContain(part.slice(0, 20))
  })

  test.each<[string, string[]]>([
    ['as a flag', ['keys', 'list', `--${TOKEN}`]],
    ['as an id', ['keys', 'show', TOKEN]],
    ['as a command', [TOKEN]],
    ['as the file of a store', ['keys', 'list', '--store', `sqlite:/nowhere/${TOKEN}`]],
  ])('that is a whole access token, %s, is not repeated', async (_, words) => {
    const { stdout, stderr, code } = await vantageAuth(words)
    expect([code === 0, stdout]).toEqual([false, ''])
    for (let i = 0; i + 12 <= TOKEN.length; i++) expect(stderr).not.toContain(TOKEN.slice(i, i + 12))
  })

  test('as standard input, that is a whole access token, is refused with the claim to give', async () => {
    const { stderr, code } = await vantageAuth(revoke('--token-id', '-'), { input: `${TOKEN}\n` })
    expect([code, stderr]).toEqual([2, expect.stringContaining('--token-id must be no token; give its jti claim')])
  })

  test.each([
    ['postgres://user:secret@127.0.0.1:1/db'],
    ['postgres://user@127.0.0.1:1/db?password=secret'],
    ['postgres://user@127.0.0.1:1/db?%70assword=secret'],
    ['postgres://user:%73ecret@127.0.0.1:1/db'],
    ['postgres://user%3Asecret@127.0.0.1:1/db'],
    ['postgres://user:secret@/db?host=/nowhere'],
  ])('%s as --store is taken, with one warning that others can read the password', async (store) => {
    const { stderr, code } = await vantageAuth(['keys', 'list', '--store', store])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^The password in --store can be read by other users .*PGPASSWORD, PGPASSFILE and VANTAGE_KEY_STORE/,
    )
    expect(stderr.match(/can be read/g)).toHaveLength(1)
    expect(stderr).not.toMatch(/secret|%73ecret/)
  })

  test('a store without a password, or from the environment, is taken without a warning', async () => {
    const url = 'postgres://user:secret@127.0.0.1:1/db'
    for (const ended of [
      await vantageAuth(['keys', 'list'], { env: { VANTAGE_KEY_STORE: url } }),
      await vantageAuth(['keys', 'list', '--store', 'postgres://user@127.0.0.1:1/db'], {
        env: { PGPASSWORD: 'secret' },
      }),
      await vantageAuth(['keys', 'list', '--store', 'postgres://user@127.0.0.1:1/db?password=']),
    ]) {
      expect(ended.code).toBe(1)
      expect(ended.stderr).toMatch(/^vantage-auth: keys list: The Postgres key store/)
    }
  })

  test.each([
    ['of an unknown kind', 'mysql://user:secret@host/db', 2],
    ['of two kinds', 'sqlite:postgres://user:secret@host/db', 2],
    ['out of reach', 'postgres://user:secret@127.0.0.1:1/db', 1],
  ])('does not print a store URL with a password: one %s', async (_, store, exitCode) => {
    const { stderr, code } = await vantageAuth(['keys', 'list', '--store', store])
    expect(code).toBe(exitCode)
    expect(stderr).not.toContain('secret')
  })
})

describe('trouble with the store: exit code 1, and one sentence with the cure', () => {
  test('for an unknown id', async () => {
    await keys('migrate')
    for (const command of ['show', 'rotate', 'revoke', 'usage']) {
      expect(await keys(command, 'nope')).toEqual({
        code: 1,
        stdout: '',
        stderr: `vantage-auth: keys ${command}: There is no key with the id "nope"\n`,
      })
    }
  }, 30_000)

  test('for a store that is absent where a key is looked for; it is not created', async () => {
    for (const words of [['list'], ['revoke', 'x']]) {
      const { stdout, stderr, code } = await keys(...words)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(/^vantage-auth: .*no key store at "vantage-auth.db"; .*npx vantage-auth keys migrate\n$/)
    }
    expect(files()).toEqual([])
  })

  test('for a file that is not a database; it stays as it is', async () => {
    const text = 'not a database, but a text that is long enough to have a header of a hundred bytes '.repeat(2)
    writeFileSync(folder.path('vantage-auth.db'), text)
    for (const ended of [await create(), await keys('list'), await keys('migrate')]) {
      expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is not a SQLite database') })
    }
    expect(readFileSync(folder.path('vantage-auth.db'), 'utf8')).toBe(text)
    expect(files()).toEqual(['vantage-auth.db'])
  }, 30_000)

  test('for a folder that is a file, or absent', async () => {
    writeFileSync(folder.path('file'), '')
    for (const store of ['sqlite:file/keys.db', 'sqlite:absent/keys.db']) {
      expect(await create('--store', store)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('cannot be opened'),
      })
    }
    expect(files()).toEqual(['file'])
  })

  test('for a folder that may not be written', async () => {
    mkdirSync(folder.path('ro'))
    chmodSync(folder.path('ro'), 0o555)
    // The superuser may write everywhere, so the command runs without that capability. Another user could not even read
    // a clone inside a private folder.
    const through =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override'] : []
    const words = ['keys', 'create', '--subject', 's', '--scopes', 'jobs:read', '--store', 'sqlite:ro/keys.db']
    const { stdout, stderr, code } = await vantageAuth(words, { through })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^vantage-auth: keys create: The key store "ro\/keys.db" cannot be opened; .*permission.*\n$/,
    )
    expect(existsSync(folder.path('ro/keys.db'))).toBe(false)
  })

  test('for a schema of a newer version', async () => {
    await keys('migrate')
    sql(folder.path('vantage-auth.db'), 'UPDATE vantage_schema SET version = 99')
    expect(await create()).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('update vantage-auth'),
    })
  })
})

test('migrate says the version, as often as it is asked', async () => {
  expect(JSON.parse((await keys('migrate', '--json')).stdout)).toEqual({ version: SCHEMA_VERSION })
  const stdout = `The key store is up to date (schema ${SCHEMA_VERSION}).\n`
  expect(await keys('migrate')).toEqual({ code: 0, stdout, stderr: '' })
})

describe('a table', () => {
  const key = (name: string) => ['aaaaaaaaaaaa', name, null, 'x'.repeat(30), '2026-01-01']
  const COLUMNS = ['ID', { title: 'NAME', cut: true }, { title: 'TENANT', cut: true }, 'TOKEN', 'CREATED']

  test('has every column, and cuts nothing in a pipe', () => {
    expect(formatTable(['A', 'B', 'C'], [['x', null, 'y'.repeat(500)]])).toBe(`A  B  C\nx  -  ${'y'.repeat(500)}\n`)
  })

  test('cuts names where a terminal is narrow, and never an id', () => {
    expect(formatTable(COLUMNS, [key('Größe 日本 and so on, a long name')], 80)).toBe(
      [
        'ID            NAME            TENANT  TOKEN                           CREATED',
        `aaaaaaaaaaaa  Größe 日本 an…  -       ${'x'.repeat(30)}  2026-01-01`,
        '',
      ].join('\n'),
    )
  })

  test('divides a row among lines where even that does not suffice', () => {
    expect(formatTable(COLUMNS, [key('a long name of a key')], 40)).toBe(
      [
        'ID            NAME                TENANT',
        '  TOKEN',
        '  CREATED',
        'aaaaaaaaaaaa  a long name of a …  -',
        `  ${'x'.repeat(30)}`,
        '  2026-01-01',
        '',
      ].join('\n'),
    )
  })

  test('leaves out lines at the end of a row that would hold nothing, and none between others', () => {
    const entry = (token: string | null, created: string | null) => ['aaaaaaaaaaaa', 'a name', null, token, created]
    const table = formatTable(
      ['ID', 'NAME', 'TENANT', 'A LONG TITLE OF A TOKEN', 'CREATED AT THAT TIME'],
      [entry(null, null), entry('t', null), entry(null, '2026-01-01')],
      40,
    )
    expect(table.split('\n').slice(3)).toEqual([
      'aaaaaaaaaaaa  a name  -',
      'aaaaaaaaaaaa  a name  -',
      '  t',
      'aaaaaaaaaaaa  a name  -',
      '  -',
      '  2026-01-01',
      '',
    ])
  })

  test('lets nothing through that moves the cursor', () => {
    const hostile = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).join('')
    expect(printable(hostile)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
    expect(printable('Größe 日本 🚀 a-b_c')).toBe('Größe 日本 🚀 a-b_c')
  })
})
