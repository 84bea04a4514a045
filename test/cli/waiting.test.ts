import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import { openKeyStore } from '../../src/store/open.js'
import { formatGrants } from '../../src/store/postgres/grants.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'

const command = shippedCommand()
const folder = temporaryFolder()
const services: ChildProcess[] = []
let server: Promise<PostgresServer> | undefined
let files = 0

afterEach(() => {
  for (const service of services.splice(0)) service.kill('SIGKILL')
})
afterAll(async () => {
  await (await server)?.stop()
  folder.remove()
})

async function emptyPostgres(): Promise<string> {
  server ??= startPostgres()
  return (await server).emptyDatabase()
}

const stores: [string, () => Promise<string>][] = [
  ['SQLite', async () => `sqlite:${folder.path(`keys${files++}.db`)}`],
  ...(postgresIsThere() ? [['PostgreSQL', emptyPostgres] as [string, () => Promise<string>]] : []),
]

/** A service in a process of its own that has the key in its cache. */
async function startService(url: string, key: string): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('service-process.ts', import.meta.url))
  const service = fork(path, [url, key], { execArgv: ['--import', 'tsx'] })
  services.push(service)
  expect(await once(service, 'message')).toEqual(['ready', undefined])
  return service
}

async function verdict(service: ChildProcess | undefined): Promise<unknown> {
  service?.send('?')
  return (await once(service as ChildProcess, 'message'))[0]
}

/** A store with three keys, and services that have the first of them in their caches. */
async function start(url: string, count: number) {
  const store = openKeyStore(url)
  const keyring = createKeyring(store)
  const made = [1, 2, 3].map(() => keyring.create({ subject: 'ci', scopes: ['jobs:read'] }))
  const [first, ...others] = await Promise.all(made)
  await store.close()
  const { key = '', record } = first ?? {}
  const running = await Promise.all(Array.from({ length: count }, () => startService(url, key)))
  const run = runOn(url)
  // The first decision does not wait for the feed.
  const following = async () => JSON.parse((await run('keys', 'services', '--json')).stdout).services.length
  if (count > 0) await expect.poll(following, { timeout: 30_000 }).toBe(count)
  return { run, running, id: record?.id ?? '', others: others.map((one) => one.record.id) }
}

const runOn =
  (url: string) =>
  (...words: string[]) =>
    command.run(words, { cwd: folder.path('.'), env: { VANTAGE_KEY_STORE: url } })

/** On a busy machine the services may need longer than half a second. */
const withoutAnnouncement = (stderr: string) =>
  stderr.replace(/^(The keys? (is|are) revoked; w|W)aiting up to .*\n/m, '')

describe.each(stores)('on %s', (kind, createUrl) => {
  const tokens = ['tokens', 'revoke', '--issuer', 'https://sso.example.com', '--subject', 'u', '--wait']

  test('--wait ends once every service refuses; keys services lists them', { timeout: 120_000 }, async () => {
    const { run, running, id, others } = await start(await createUrl(), 2)
    const pids = running.map(({ pid }) => pid).sort()
    const followers = JSON.parse((await run('keys', 'services', '--json')).stdout).services
    expect(followers).toMatchObject([{ host: hostname(), isUpToDate: true }, { isUpToDate: true }])
    expect(followers.map(({ pid }: { pid: number }) => pid).sort()).toEqual(pids)

    const { stdout, stderr, code } = await run('keys', 'revoke', id, '--wait')
    expect([code, withoutAnnouncement(stderr)]).toEqual([0, ''])
    expect(stdout).toMatch(/^state {8}revoked$/m)
    expect(stdout).toMatch(/\nrefused by 2 of 2 services after \d+ ms\n$/)
    expect(await Promise.all(running.map(verdict))).toEqual(['revoked', 'revoked'])

    const several = await run('keys', 'revoke', ...others, '--yes', '--wait', '10s', '--json')
    expect(several).toMatchObject({ code: 0, stderr: '' })
    const { revoked, confirmation } = JSON.parse(several.stdout)
    expect(revoked).toHaveLength(2)
    expect(confirmation).toEqual({ services: 2, confirmed: 2, lastAfterMs: expect.any(Number) })
    expect(JSON.parse((await run(...tokens, '--json')).stdout)).toMatchObject({
      subject: 'u',
      confirmation: { services: 2, confirmed: 2 },
    })
  })

  test('--wait names a service that is stopped, and exits 1', { timeout: 120_000 }, async () => {
    const { run, running, id } = await start(await createUrl(), 2)
    const stopped = running[1]?.pid ?? 0
    process.kill(stopped, 'SIGSTOP')
    const { stdout, stderr, code } = await run('keys', 'revoke', id, '--wait', '2s')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^The key is revoked; waiting up to 2s for the services that follow the store\n/)
    expect(stdout).toMatch(/\nrefused by 1 of 2 services after \d+ ms\nno answer from:\nAPPLICATION +HOST +PROCESS\n/)
    expect(stdout.split('\n').at(-2)).toMatch(new RegExp(`^\\S+ +${hostname()} +${stopped}$`))
    const listed = await run('keys', 'services', '--timeout', '1s')
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    expect(listed.stdout).toMatch(new RegExp(` ${stopped} +- +no answer$`, 'm'))
    expect(listed.stdout).toMatch(/Z {2}(change \d+, )?up to date$/m)
    process.kill(stopped, 'SIGCONT')
    expect(JSON.parse((await run(...tokens, '--json')).stdout).confirmation).toMatchObject({
      services: 2,
      confirmed: 2,
    })
    expect(await verdict(running[1])).toBe('revoked')
  })

  test('--wait asks also where no key is left to end', { timeout: 120_000 }, async () => {
    const { run, running, id, others } = await start(await createUrl(), 1)
    const stopped = running[0]?.pid ?? 0
    process.kill(stopped, 'SIGSTOP')
    const bySubject = ['keys', 'revoke', '--subject', 'ci', '--yes', '--wait', '1s']
    const first = await run(...bySubject)
    expect([first.code, first.stdout]).toEqual([1, expect.stringContaining('refused by 0 of 1 service\n')])
    const again = await run(...bySubject)
    expect([again.code, again.stdout]).toEqual([
      1,
      expect.stringMatching(/^refused by 0 of 1 service\nno answer from:/),
    ])
    expect(again.stderr).toMatch(
      /^There are no such keys\.\nWaiting up to 1s for the services that follow the store\nWhat was revoked stays/,
    )
    const unanswered = [{ host: hostname(), pid: stopped, applicationName: expect.any(String) }]
    const silent = { services: 1, confirmed: 0, lastAfterMs: null, unanswered }
    const none = { revoked: [], already: [], unknown: [] }
    const json = await run(...bySubject, '--json')
    expect([json.code, JSON.parse(json.stdout), json.stderr]).toEqual([1, { ...none, confirmation: silent }, ''])

    const absent = await run('keys', 'revoke', 'nope', '--wait', '1s', '--json')
    expect(absent.code).toBe(1)
    expect(JSON.parse(absent.stdout)).toEqual({ ...none, unknown: ['nope'], confirmation: silent })
    expect(JSON.parse(absent.stderr).error.code).toBe('ERR_VANTAGE_KEY_NOT_FOUND')

    process.kill(stopped, 'SIGCONT')
    const answered = await run(...bySubject.slice(0, -1), '30s')
    expect([answered.code, withoutAnnouncement(answered.stderr)]).toEqual([0, 'There are no such keys.\n'])
    expect(answered.stdout).toMatch(/^refused by 1 of 1 service after \d+ ms\n$/)
    const already = await run('keys', 'revoke', id, ...others, '--wait', '30s', '--json')
    expect([already.code, JSON.parse(already.stdout)]).toMatchObject([
      0,
      { revoked: [], confirmation: { services: 1, confirmed: 1 } },
    ])
    const unknown = await run('keys', 'revoke', 'nope', '--wait', '30s')
    expect([unknown.code, unknown.stdout]).toEqual([1, expect.stringMatching(/^refused by 1 of 1 service after/)])
    expect(unknown.stderr).toContain('There is no key with the id "nope"')
  })

  test('who ends the command while it waits is told that the key is revoked', { timeout: 120_000 }, async () => {
    const url = await createUrl()
    const { run, running, id, others } = await start(url, 1)
    process.kill(running[0]?.pid ?? 0, 'SIGSTOP')
    const announcement = 'waiting up to 1m for the services that follow the store'
    const circumstances = { cwd: folder.path('.'), env: { VANTAGE_KEY_STORE: url }, columns: 200, input: '\u0003' }
    const revoke = ['keys', 'revoke', id, ...others, '--yes', '--wait', '1m']
    const { stdout, code } = await command.runOnTerminal(revoke, { ...circumstances, question: announcement })
    expect([code, stdout]).toEqual([130, expect.stringContaining(`The keys are revoked; ${announcement}`)])
    const states = JSON.parse((await run('keys', 'list', '--json')).stdout).keys
    expect(states.map(({ state }: { state: string }) => state)).toEqual(['revoked', 'revoked', 'revoked'])
  })

  test('where no service follows it says so', { timeout: 60_000 }, async () => {
    const { run, id } = await start(await createUrl(), 0)
    const { stdout, stderr, code } = await run('keys', 'revoke', id, '--wait')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^state {8}revoked$/m)])
    const notice = withoutAnnouncement(stderr)
    expect(notice).toMatch(/^No service follows this store\./)
    expect(notice).toMatch(kind === 'SQLite' ? /Those that may not write the file cannot be asked\.\n$/ : /replica/)
    expect(await run('keys', 'services')).toMatchObject({ code: 0, stdout: '', stderr: notice })
    expect(JSON.parse((await run('keys', 'services', '--json')).stdout)).toEqual({ services: [] })
  })
})

describe.skipIf(!postgresIsThere())('a role of a service', () => {
  test('is told the grants of what it runs: of an administrator to revoke', { timeout: 60_000 }, async () => {
    const url = await emptyPostgres()
    const { id } = await start(url, 0)
    for (const statement of [
      "CREATE ROLE svc LOGIN PASSWORD 'p'",
      ...formatGrants('service', { role: 'svc', schema: 'public' }),
    ])
      await (await server)?.sql(url, statement)
    const run = runOn(url.replace(/\/\/[^@]*@/, '//svc:p@'))
    for (const [kind, ...words] of [
      ['administrator', 'revoke', id],
      ['administrator', 'revoke', '--subject', 'ci', '--yes'],
      ['reader', 'revoke', id, '--dry-run'],
      ['reader', 'list'],
    ] as const) {
      const { code, stderr } = await run('keys', ...words)
      expect([code, stderr]).toEqual([1, expect.stringContaining(`vantage-auth keys grants ${kind} --role svc\n`)])
    }
  })
})

describe.skipIf(!postgresIsThere())('a role that may revoke, and not ask,', () => {
  test('is told that the keys are revoked all the same', { timeout: 120_000 }, async () => {
    const url = await emptyPostgres()
    const { id, others } = await start(url, 0)
    const sql = async (statement: string) => (await server)?.sql(url, statement)
    for (const statement of [
      "CREATE ROLE ann LOGIN PASSWORD 'p'",
      ...formatGrants('administrator', { role: 'ann', schema: 'public' }),
      'REVOKE EXECUTE ON FUNCTION pg_catalog.txid_current() FROM PUBLIC',
    ])
      await sql(statement)
    try {
      const run = runOn(url.replace(/\/\/[^@]*@/, '//ann:p@'))
      const one = await run('keys', 'revoke', id, '--wait')
      expect([one.code, one.stdout]).toEqual([1, ''])
      expect(one.stderr).toMatch(
        /^vantage-auth: keys revoke: It is revoked, but .*could not be asked: .*does not permit this/,
      )
      const again = await run('keys', 'revoke', id, '--wait', '--json')
      expect([again.code, again.stdout]).toEqual([1, ''])
      expect(JSON.parse(again.stderr).error).toMatchObject({
        code: 'ERR_VANTAGE_UNCONFIRMED',
        record: { id, state: 'revoked' },
      })
      const several = await run('keys', 'revoke', ...others, '--yes', '--wait', '--json')
      expect(several.code).toBe(1)
      expect(JSON.parse(several.stdout).revoked).toHaveLength(2)
      expect(JSON.parse(several.stderr).error).toEqual({
        code: 'ERR_VANTAGE_UNCONFIRMED',
        message: expect.stringMatching(
          /^keys revoke: The keys are revoked, but .*could not be asked: .*does not permit this/,
        ),
      })
      const absent = await run('keys', 'revoke', 'nope', '--wait')
      expect([absent.code, absent.stdout]).toEqual([1, ''])
      expect(absent.stderr).toMatch(
        /^There is no key with the id "nope"\.\nvantage-auth: keys revoke: No key was left to end; whether .*could not be asked: .*does not permit this/,
      )
      const states = JSON.parse((await run('keys', 'list', '--json')).stdout).keys
      expect(states.map(({ state }: { state: string }) => state)).toEqual(['revoked', 'revoked', 'revoked'])
    } finally {
      await sql('GRANT EXECUTE ON FUNCTION pg_catalog.txid_current() TO PUBLIC')
    }
  })
})
