import { closeSync, existsSync, mkdtempSync, openSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { createKeyring, openKeyStore } from '../../src/index.js'
import { type AskedVerifier, startAskedVerifier } from '../support/asked-verifier.js'
import { AUDIENCE, signer } from '../support/faults.js'
import { startIssuer } from '../support/issuer-server.js'
import { postgresIsThere, startPostgres } from '../support/postgres.js'

const UNAVAILABLE = 'ERR_VANTAGE_UNAVAILABLE'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
}, 30_000)

async function start(options: object, env?: NodeJS.ProcessEnv, stderrFile?: number): Promise<AskedVerifier> {
  const verifier = await startAskedVerifier({ timeoutMs: 2000, ...options }, env, stderrFile)
  closers.push(verifier.close)
  return verifier
}

/** Asks until the answer is the expected one. */
async function askUntil(verifier: AskedVerifier, credential: string, expected: string): Promise<void> {
  const limit = performance.now() + 30_000
  while ((await verifier.ask(credential)) !== expected) {
    if (performance.now() > limit) throw new Error(`never ${expected}: ${verifier.stderr()}`)
    await delay(100)
  }
}

async function keyIn(url: string): Promise<string> {
  const store = openKeyStore(url)
  const keyring = createKeyring(store)
  const { key } = await keyring.create({ subject: 'user_1', scopes: ['jobs:read'] })
  await store.close()
  return key
}

describe('an issuer', () => {
  async function issuerAndToken() {
    const issuer = await startIssuer()
    closers.push(issuer.close)
    const signing = signer(issuer, 'one')
    await issuer.order({ keys: signing.jwks.keys })
    return { issuer, token: signing.mint({ aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 86_400 }) }
  }

  test('out of reach is told of once, and once when it is back', async () => {
    const { issuer, token } = await issuerAndToken()
    await issuer.order({ fault: 'refuses' })
    const verifier = await start(
      { issuer: issuer.url, audience: AUDIENCE, keys: false },
      { NODE_DEBUG: 'vantage-auth' },
    )
    for (let i = 0; i < 3; i++) expect(await verifier.ask(token)).toBe(UNAVAILABLE)
    await issuer.order({ fault: null })
    await askUntil(verifier, token, 'accepted')
    const [out, back, ...others] = verifier.notices()
    expect(out).toMatch(new RegExp(`^issuer ${issuer.url} failed: .*ECONNREFUSED`))
    expect(back).toMatch(new RegExp(`^issuer ${issuer.url} is back after [\\d.]+ s$`))
    expect(others).toEqual([])
    expect(verifier.stderr()).toMatch(new RegExp(`ERR_VANTAGE_UNAVAILABLE issuer ${issuer.url}: .*ECONNREFUSED`))
    expect(verifier.stderr()).not.toContain(token.slice(-20))
  }, 60_000)

  describe('out of reach, while standard error fails, does not end the service', () => {
    async function outlivesOutage(stderrFile?: number): Promise<void> {
      const { issuer, token } = await issuerAndToken()
      await issuer.order({ fault: 'refuses' })
      const verifier = await start({ issuer: issuer.url, audience: AUDIENCE, keys: false }, {}, stderrFile)
      verifier.stopReadingStderr()
      for (let i = 0; i < 3; i++) expect(await verifier.ask(token)).toBe(UNAVAILABLE)
      await issuer.order({ fault: null })
      await askUntil(verifier, token, 'accepted')
      await verifier.close()
    }

    test.runIf(existsSync('/dev/full'))(
      'since the disk is full',
      async () => {
        const file = openSync('/dev/full', 'w')
        closers.push(() => closeSync(file))
        await outlivesOutage(file)
      },
      60_000,
    )

    test('since nobody reads the pipe any more', () => outlivesOutage(), 60_000)
  })

  test('out of reach is told of while its old keys serve', async () => {
    const { issuer, token } = await issuerAndToken()
    const verifier = await start({ issuer: issuer.url, audience: AUDIENCE, keys: false })
    expect(await verifier.ask(token)).toBe('accepted')
    await issuer.order({ fault: 'refuses' })
    verifier.advance(700_000)
    expect(await verifier.ask(token)).toBe('accepted')
    expect(verifier.notices()).toEqual([expect.stringContaining(`issuer ${issuer.url} failed: `)])
  }, 60_000)

  test.each([
    ['the option', { outageNotices: false }, {}],
    ['the variable', {}, { VANTAGE_OUTAGE_NOTICES: '0' }],
  ])(
    'is told of in no line where %s says so',
    async (_, options, env) => {
      const { issuer, token } = await issuerAndToken()
      await issuer.order({ fault: 'refuses' })
      const verifier = await start({ issuer: issuer.url, audience: AUDIENCE, keys: false, ...options }, env)
      expect(await verifier.ask(token)).toBe(UNAVAILABLE)
      await verifier.close()
      expect(verifier.stderr()).toBe('')
    },
    60_000,
  )
})

test('a SQLite key store is told of with its path, and not when it is closed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-'))
  closers.push(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'keys.db')
  const key = await keyIn(`sqlite:${path}`)
  const verifier = await start({ issuer: false, keys: `sqlite:${path}`, cache: false })
  expect(await verifier.ask(key)).toBe('accepted')
  renameSync(folder, `${folder}-away`)
  await askUntil(verifier, key, UNAVAILABLE)
  renameSync(`${folder}-away`, folder)
  await askUntil(verifier, key, 'accepted')
  await verifier.close()
  expect(verifier.notices()).toEqual([
    expect.stringContaining(`key store sqlite:${path} failed: There is no key store at ${JSON.stringify(path)}`),
    expect.stringMatching(/is back after/),
  ])
}, 60_000)

describe.runIf(postgresIsThere())('a Postgres key store', () => {
  test('is told of with role, host, port and database, in one pair of lines, and without its password', async () => {
    const server = await startPostgres()
    closers.push(server.stop)
    const admin = await server.emptyDatabase()
    const key = await keyIn(admin)
    const password = new URL(admin).password
    const verifier = await start({ issuer: false, keys: admin })
    expect(await verifier.ask(key)).toBe('accepted')
    await server.halt()
    await askUntil(verifier, key, UNAVAILABLE)
    for (let i = 0; i < 5; i++) await verifier.ask(key)
    await server.start()
    await askUntil(verifier, key, 'accepted')
    await verifier.close()
    const place = `postgres://admin@127.0.0.1:${server.port}/postgres`
    expect(verifier.notices()).toEqual([
      expect.stringMatching(new RegExp(`^key store ${place} is out of reach: `)),
      expect.stringMatching(new RegExp(`^key store ${place} is back after `)),
    ])
    expect(verifier.stderr()).not.toContain(password)
  }, 120_000)

  test('whose role lacks a grant is told of with table, privilege and cure', async () => {
    const server = await startPostgres()
    closers.push(server.stop)
    const admin = await server.emptyDatabase()
    const key = await keyIn(admin)
    await server.sql(admin, `CREATE ROLE svc LOGIN PASSWORD 'hunter2'`)
    await server.sql(admin, 'GRANT SELECT ON vantage_schema, vantage_changes, vantage_token_revocations TO svc')
    const url = `postgres://svc:hunter2@127.0.0.1:${server.port}/postgres`
    const verifier = await start({ issuer: false, keys: url })
    expect(await verifier.ask(key)).toBe(UNAVAILABLE)
    const [line] = verifier.notices()
    expect(line).toContain('role "svc": it lacks SELECT on the table public.vantage_keys')
    expect(line).toContain('npx vantage-auth keys grants service --role svc')
    expect(verifier.stderr()).not.toContain('hunter2')
  }, 120_000)
})
