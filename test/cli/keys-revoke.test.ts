import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import type { KeyRecord } from '../../src/keyring/records.js'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>
let store: string

beforeEach(async () => {
  folder = temporaryFolder()
  store = folder.path('vantage-auth.db')
  expect((await keys(['migrate'])).code).toBe(0)
})

afterEach(() => folder.remove())

const keys = (words: string[], input?: string) =>
  command.run(['keys', ...words], { cwd: folder.path('.'), ...(input !== undefined && { input }) })

/** A key by hand: a process for each would take long. */
function insert(id: string, values: { subject?: string; tenant?: string; createdAt?: number } = {}): string {
  const { subject = 'ci', tenant, createdAt = Date.now() } = values
  sql(
    store,
    `INSERT INTO vantage_keys (id, digest, subject, tenant, environment, scopes, created_at)
      VALUES ('${id}', 'x', '${subject}', ${tenant === undefined ? 'NULL' : `'${tenant}'`}, 'live', 'jobs:read', ${createdAt})`,
  )
  return id
}

const ended = () =>
  rows(store, 'SELECT id FROM vantage_keys WHERE revoked_at IS NOT NULL ORDER BY id').map(({ id }) => id)

const ids = (records: readonly KeyRecord[]) => records.map(({ id }) => id)

const YEAR_AGO = Date.now() - 365 * 86_400_000

describe('keys revoke', () => {
  test('of ids that no key has says so once', async () => {
    insert('a')
    expect(await keys(['revoke', 'nope', 'none'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'vantage-auth: keys revoke: There is no key with the id "nope", "none"\n',
    })
  })

  test('of one id prints the record, with who revoked it and why', async () => {
    insert('a')
    const { code, stdout, stderr } = await keys(['revoke', 'a', '--reason', 'leaked', '--actor', 'sec', '--json'])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ id: 'a', state: 'revoked', revokedBy: 'sec', revokedReason: 'leaked' })
    expect((await keys(['show', 'a'])).stdout).toMatch(/^revoked by {3}sec\nreason {7}leaked$/m)
  })

  test('of one that was revoked already says the first reason, and exits 0', async () => {
    insert('a')
    insert('b')
    await keys(['revoke', 'a', '--reason', 'leaked'])
    await keys(['revoke', 'b'])
    const again = await keys(['revoke', 'a', '--reason', 'other'])
    expect(again).toMatchObject({ code: 0, stderr: 'Key a was already revoked (first reason: leaked).\n' })
    expect(again.stdout).toMatch(/^reason {7}leaked$/m)
    expect((await keys(['revoke', 'b'])).stderr).toBe('Key b was already revoked (first reason: none).\n')
    expect(JSON.parse((await keys(['revoke', 'a', '--json'])).stdout)).toMatchObject({ revokedReason: 'leaked' })
  })

  test('of several ends all but an unknown one, which it names, and exits 1', async () => {
    for (const id of ['a', 'b', 'c', 'd']) insert(id)
    await keys(['revoke', 'a', '--reason', 'leaked'])
    expect(await keys(['revoke', 'a', 'b', 'nope', 'b', '--yes'])).toEqual({
      code: 1,
      stdout: 'a  already revoked (first reason: leaked)\nb  revoked\n',
      stderr: 'vantage-auth: keys revoke: There is no key with the id "nope"\n',
    })
    const json = await keys(['revoke', 'a', 'nope', 'none', 'c', 'd', '--yes', '--json', '--reason', 'r'])
    expect(json.code).toBe(1)
    const { revoked, already, unknown, ...more } = JSON.parse(json.stdout)
    expect([ids(revoked), ids(already), unknown, more]).toEqual([['c', 'd'], ['a'], ['nope', 'none'], {}])
    expect(revoked[0]).toMatchObject({ state: 'revoked', revokedReason: 'r' })
    expect(JSON.parse(json.stderr)).toEqual({
      error: { code: 'ERR_VANTAGE_KEY_NOT_FOUND', message: expect.stringContaining('"nope", "none"') },
    })
    expect((await keys(['revoke', 'a', 'b', '--json'])).code).toBe(0)
  })

  test('shows no part of a key that stands where an id belongs', async () => {
    insert('a')
    const { key } = generateApiKey('live')
    const secret = key.slice('vak_live_'.length)
    for (const flag of ['--yes', '--dry-run']) {
      for (const [words, input] of [
        [['-'], `${secret}\na\nnope\n`],
        [[secret, 'a', 'nope'], undefined],
      ] as const) {
        const { code, stdout, stderr } = await keys(['revoke', ...words, flag, '--json'], input)
        expect([code, stdout + stderr]).toEqual([1, expect.not.stringContaining(secret.slice(12, 24))])
        expect(JSON.parse(stdout).unknown).toEqual([`a text of ${secret.length} characters`, 'nope'])
      }
    }
  })

  test('of more than one needs --yes where nobody can be asked; without it nothing is ended', async () => {
    for (const id of ['a', 'b']) insert(id)
    for (const [words, input] of [[['a', 'b']], [['--subject', 'ci']], [['-'], 'a b'], [['a', 'b', '--json']]] as [
      string[],
      string?,
    ][]) {
      const { code, stdout, stderr } = await keys(['revoke', ...words], input)
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toContain('--yes is missing: it would end 2 keys')
    }
    expect(ended()).toEqual([])
  })

  test('of more than one id needs --yes as well where only one of them can be ended', async () => {
    for (const id of ['a', 'b', 'c']) insert(id)
    await keys(['revoke', 'c'])
    for (const [words, input] of [[['a', 'nope']], [['a', 'c', '--json']], [['-'], 'nope a']] as [
      string[],
      string?,
    ][]) {
      const { code, stdout, stderr } = await keys(['revoke', ...words], input)
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toContain('--yes is missing: it would end 1 of 2 keys')
    }
    expect(ended()).toEqual(['c'])
    expect((await keys(['revoke', 'a', 'a'])).code).toBe(0)
    expect(ended()).toEqual(['a', 'c'])
  })

  test('ends the keys that meet all filters, and leaves alone what has ended', async () => {
    insert('a', { tenant: 'acme', createdAt: YEAR_AGO })
    insert('b', { tenant: 'acme', createdAt: YEAR_AGO, subject: 'other' })
    insert('c', { tenant: 'acme' })
    insert('d', { tenant: 'beta', createdAt: YEAR_AGO })
    insert('e', { tenant: 'acme', createdAt: YEAR_AGO })
    insert('f', { tenant: 'acme', createdAt: YEAR_AGO })
    insert('g', { tenant: 'acme', createdAt: YEAR_AGO })
    sql(
      store,
      `UPDATE vantage_keys SET revoked_at = 1 WHERE id = 'e'; UPDATE vantage_keys SET expires_at = 1 WHERE id = 'f'`,
    )
    sql(store, `UPDATE vantage_keys SET replaced_by = 'c' WHERE id = 'g'`)
    sql(store, `INSERT INTO vantage_usage VALUES ('b', '2026-11-25', 1, ${Date.now()})`)
    const words = ['--subject', 'ci', '--tenant', 'acme', '--unused', '90d']
    const { code, stdout } = await keys(['revoke', ...words, '--yes', '--json'])
    expect(code).toBe(0)
    const { revoked, already, unknown } = JSON.parse(stdout)
    expect([ids(revoked), already, unknown]).toEqual([['a', 'g'], [], []])
    expect(ended()).toEqual(['a', 'e', 'g'])
    expect(await keys(['revoke', ...words])).toEqual({ code: 0, stdout: '', stderr: 'There are no such keys.\n' })
  })

  test('with ids and filters ends those for which both hold, and names the others', async () => {
    insert('a', { tenant: 'acme' })
    insert('b', { tenant: 'beta' })
    expect(await keys(['revoke', 'a', 'b', '--tenant', 'acme', '--yes'])).toEqual({
      code: 1,
      stdout: 'a  revoked\n',
      stderr: 'Not ended, since the filters leave them out: "b".\n',
    })
    expect(ended()).toEqual(['a'])
    const { stdout } = await keys(['revoke', 'a', 'b', '--tenant', 'acme', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ revoked: [], already: [{ id: 'a' }], unmatched: [{ id: 'b' }] })
  })

  test('reads ids from standard input, whatever white space is between them', async () => {
    for (const id of ['a', 'b', 'c', 'd']) insert(id)
    const { code, stdout } = await keys(['revoke', '-', 'd', '--yes'], '\ufeffa\r\n  b\t\n\nc\u00a0a')
    expect([code, stdout]).toEqual([0, 'd  revoked\na  revoked\nb  revoked\nc  revoked\n'])
  })

  const KEY = `vak_live_${'0123456789'.repeat(6)}x`

  test.each<[string, string[], string | undefined, RegExp]>([
    ['nothing', [], undefined, /ID is missing: name keys, or choose them by --subject, --tenant or --unused/],
    ['an empty id', [''], undefined, /ID must be/],
    ['an empty id beside a good one', ['a', ''], undefined, /ID must be/],
    ['an empty subject', ['--subject', ''], undefined, /--subject must be/],
    ['an empty tenant', ['--tenant='], undefined, /--tenant must be/],
    ['an empty duration', ['--unused', ''], undefined, /--unused must be/],
    ['a duration without its unit', ['--unused', '90'], undefined, /90d\?/],
    ['two subjects', ['--subject', 'ci', '--subject', 'x'], undefined, /--subject is given twice/],
    ['an empty reason', ['a', '--reason', ''], undefined, /--reason must be/],
    ['an empty actor', ['a', 'b', '--actor', ''], undefined, /--actor must be/],
    ['an empty standard input', ['-'], '', /standard input has no ids/],
    ['white space on standard input', ['-', 'a'], ' \n', /standard input has no ids/],
    ['a key', [KEY], undefined, /ID must be the 12 characters/],
    ['a key on standard input', ['-'], `a\nb ${KEY}\n`, /word 3 of standard input: id must be the 12 characters/],
    ['a long word on standard input', ['-'], 'x'.repeat(65), /word 1 of standard input: id must be the id of a key/],
    ['too much of standard input', ['-'], 'a '.repeat(4_000_000), /standard input has more than \d+ bytes/],
    ['too many ids', ['-'], Array.from({ length: 100_001 }, (_, i) => `i${i}`).join('\n'), /more than 100000 keys/],
  ])('with %s exits 2, and ends nothing', async (_, words, input, fault) => {
    insert('a')
    insert('b')
    const { code, stdout, stderr } = await keys(['revoke', ...words, '--yes'], input)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(fault)
    expect(stderr).not.toContain('0123456789')
    expect(ended()).toEqual([])
  })

  test('with --dry-run shows what it would end, and ends nothing', async () => {
    for (const id of ['a', 'b', 'c']) insert(id)
    await keys(['revoke', 'c', '--reason', 'leaked'])
    const shown = await keys(['revoke', 'a', 'b', 'c', '--dry-run', '--yes'])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toMatch(/^ID .*\na .*\nb .*\n$/)
    expect(shown.stderr).toBe('c is already revoked (first reason: leaked).\nIt would end 2 keys. Nothing was ended.\n')
    const json = JSON.parse((await keys(['revoke', 'a', 'b', 'c', '--dry-run', '--json'])).stdout)
    expect(json).toMatchObject({
      wouldRevoke: [{ id: 'a', state: 'active' }, { id: 'b' }],
      already: [{ id: 'c' }],
      unknown: [],
    })
    expect(JSON.parse((await keys(['revoke', 'a', '--dry-run', '--json'])).stdout)).toMatchObject({ state: 'active' })
    expect((await keys(['revoke', 'a', 'nope', '--dry-run'])).code).toBe(1)
    const waiting = await keys(['revoke', 'a', '--dry-run', '--wait'])
    expect([waiting.code, waiting.stderr]).toEqual([2, expect.stringContaining('--wait does not go with --dry-run')])
    expect(ended()).toEqual(['c'])
  })

  test('tells what it has ended before the store failed', async () => {
    for (const id of ['a', 'b', 'c']) insert(id)
    sql(
      store,
      `CREATE TRIGGER trouble BEFORE UPDATE ON vantage_keys WHEN OLD.id = 'b' BEGIN SELECT RAISE(ABORT, 'x'); END`,
    )
    const { code, stdout, stderr } = await keys(['revoke', 'a', 'b', 'c', '--yes', '--json'])
    expect(code).toBe(1)
    expect(ids(JSON.parse(stdout).revoked)).toEqual(['a'])
    expect(JSON.parse(stderr).error.code).toBe('ERR_VANTAGE_KEY_STORE')
    expect((await keys(['revoke', 'c', 'b', '--yes'])).stdout).toBe('c  revoked\n')
  })
})

describe('keys revoke on a terminal', () => {
  const onTerminal = (words: string[], input: string, question?: string, meanwhile?: () => void) =>
    command.runOnTerminal(['keys', 'revoke', ...words], {
      cwd: folder.path('.'),
      columns: 80,
      input,
      meanwhile,
      question,
    })

  test.each<[string, string[], string, string[]]>([
    ['several keys', ['a', 'b'], 'These 2 keys will be ended', ['a', 'b']],
    ['one key', ['a'], 'This key will be ended', ['a']],
    ['the keys of a subject', ['--subject', 'ci'], 'These 2 keys will be ended', ['a', 'b']],
  ])('shows %s, asks, and ends them after a yes', async (_, words, shown, expected) => {
    for (const id of ['a', 'b']) insert(id)
    const { code, stdout } = await onTerminal(words, 'y\n', '[y/N]')
    expect(stdout).toContain(shown)
    expect(stdout).toContain('[y/N]')
    expect(stdout.indexOf('SUBJECT')).toBeLessThan(stdout.indexOf('[y/N]'))
    expect(code).toBe(0)
    expect(ended()).toEqual(expected)
  })

  test.each([
    ['a no', 'n\n'],
    ['an empty answer', '\n'],
    ['another word', 'yess\n'],
    ['the end of the input', '\u0004'],
    ['Ctrl-C', '\u0003'],
  ])('ends nothing after %s, and exits 1', async (_, input) => {
    for (const id of ['a', 'b']) insert(id)
    const { code, stdout } = await onTerminal(['a', 'b'], input, '[y/N]')
    expect(stdout).toContain('Nothing was ended.')
    expect([code, ended()]).toEqual([1, []])
  })

  test('ends what was shown, and not a key that came while it asked', async () => {
    for (const id of ['a', 'b']) insert(id)
    const { code } = await onTerminal(['--subject', 'ci'], 'yes\n', '[y/N]', () => insert('late'))
    expect([code, ended()]).toEqual([0, ['a', 'b']])
  })

  test('does not ask with --yes, and asks nobody under --json or who pipes ids in', async () => {
    for (const id of ['a', 'b', 'c', 'd']) insert(id)
    expect((await onTerminal(['a', 'b', '--yes'], '')).stdout).not.toContain('[y/N]')
    expect(ended()).toEqual(['a', 'b'])
    const { code, stdout } = await onTerminal(['c', 'd', '--json'], 'y\n')
    expect([code, stdout]).toEqual([2, expect.stringContaining('--yes is missing')])
    const piped = await onTerminal(['-'], 'c d\n\u0004')
    expect([piped.code, piped.stdout]).toEqual([2, expect.stringContaining('--yes is missing')])
    expect(ended()).toEqual(['a', 'b'])
  })
})
