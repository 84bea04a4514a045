import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import { openKeyStore } from '../../src/store/open.js'
import { loadSqliteDriver } from '../../src/store/sqlite/driver.js'
import { createTestIssuer } from '../../src/testing.js'
import { type PostgresServer, postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'

const SESSION_REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'

const issuer = createTestIssuer()
let children: ChildProcess[]
beforeEach(() => {
  children = []
})
afterEach(async () => {
  for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    child.kill()
    await once(child, 'exit')
  }
})

/** Starts a process of the deployment, and resolves to its address. */
async function start(role: 'receiver' | 'dying receiver' | 'service', keys: string): Promise<string> {
  const script = fileURLToPath(new URL('../support/revocation-process.ts', import.meta.url))
  const { issuer: name, jwks } = issuer
  const child = fork(script, [role, keys, JSON.stringify({ issuer: name, jwks })], { execArgv: ['--import', 'tsx'] })
  children.push(child)
  const [port] = (await once(child, 'message')) as [number]
  return `http://127.0.0.1:${port}`
}

/** What the provider pushes when the session of a subject has ended. */
function securityEvent(subject: string): string {
  return issuer.mint(
    {
      aud: 'receiver',
      sub: undefined,
      client_id: undefined,
      scope: undefined,
      exp: undefined,
      sub_id: { format: 'iss_sub', iss: issuer.issuer, sub: subject },
      events: { [SESSION_REVOKED]: { event_timestamp: Math.floor(Date.now() / 1000) } },
    },
    { typ: 'secevent+jwt' },
  )
}

async function push(receiver: string, event: string) {
  const headers = { 'content-type': 'application/secevent+jwt' }
  const response = await fetch(`${receiver}/events`, { method: 'POST', headers, body: event })
  return { status: response.status, body: await response.text(), retryAfter: response.headers.get('retry-after') }
}

const TAKEN = { status: 202, body: '', retryAfter: null }

async function statusAt(service: string, token: string): Promise<number> {
  const response = await fetch(`${service}/v1/auth/test`, { headers: { authorization: `Bearer ${token}` } })
  await response.text()
  return response.status
}

/** A token that the service has in its cache. */
async function cachedToken(service: string, subject: string): Promise<string> {
  const token = issuer.mint({ aud: 'api', sub: subject })
  await until(async () => (await statusAt(service, token)) === 200)
  expect(await statusAt(service, token)).toBe(200)
  return token
}

/** How often tokens of this subject were revoked, by the audit trail. */
async function revocationsOf(subject: string, keys: string): Promise<number> {
  const keyring = createKeyring(keys, { migrate: false })
  try {
    const { entries } = await keyring.audit()
    return entries.filter(({ action, detail }) => action === 'revoke_tokens' && detail?.includes(`"${subject}"`)).length
  } finally {
    await keyring.close()
  }
}

interface Place {
  readonly keys: string
  /** Takes the store away from those who write, until the function that it returns is called. */
  takeAway(): Promise<() => Promise<void>>
}

function describeDeployment(place: () => Place): void {
  test('repeats to another receiver what it got no answer to: the same answer, and one revocation', async () => {
    const { keys } = place()
    const [dying, receiver, service] = await Promise.all([
      start('dying receiver', keys),
      start('receiver', keys),
      start('service', keys),
    ])
    const token = await cachedToken(service, 'ada')
    const event = securityEvent('ada')
    await expect(push(dying, event)).rejects.toThrow('fetch failed')
    await until(() => children.some(({ signalCode }) => signalCode === 'SIGKILL'))
    // It was committed, and so is heard of without the answer.
    await until(async () => (await statusAt(service, token)) === 401)
    expect(await push(receiver, event)).toEqual(TAKEN)
    expect(await revocationsOf('ada', keys)).toBe(1)
    // A later sign-in goes on, whoever repeats the event.
    const later = issuer.mint({ aud: 'api', sub: 'ada', iat: Math.floor(Date.now() / 1000) + 2 })
    expect(await statusAt(service, later)).toBe(200)
    expect(await push(receiver, event)).toEqual(TAKEN)
    expect(await statusAt(service, later)).toBe(200)
  })

  test('sends one event to two receivers at the same time: both take it, and one writes it', async () => {
    const { keys } = place()
    const receivers = await Promise.all([start('receiver', keys), start('receiver', keys)])
    for (let round = 0; round < 10; round++) {
      const event = securityEvent(`user-${round}`)
      expect(await Promise.all(receivers.map((receiver) => push(receiver, event)))).toEqual([TAKEN, TAKEN])
      expect(await revocationsOf(`user-${round}`, keys)).toBe(1)
    }
  })

  test('gets 503 while the store takes no writes, and is obeyed when it does again', async () => {
    const { keys, takeAway } = place()
    const [receiver, service] = await Promise.all([start('receiver', keys), start('service', keys)])
    const token = await cachedToken(service, 'bob')
    const event = securityEvent('bob')
    const giveBack = await takeAway()
    try {
      expect(await push(receiver, event)).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) })
      // An outage is no revocation.
      expect(await statusAt(service, token)).not.toBe(401)
    } finally {
      await giveBack()
    }
    await until(async () => (await push(receiver, event)).status === 202)
    await until(async () => (await statusAt(service, token)) === 401)
    expect(await revocationsOf('bob', keys)).toBe(1)
  })
}

describe('a provider, over three processes on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-revocation-'))
  const path = join(folder, 'keys.db')
  const keys = `sqlite:${path}`
  beforeAll(() => migrate(keys))
  afterAll(() => rmSync(folder, { recursive: true }))

  describeDeployment(() => ({
    keys,
    async takeAway() {
      const database = loadSqliteDriver().open(pathToFileURL(path).href)
      database.exec('BEGIN IMMEDIATE')
      return async () => {
        database.exec('ROLLBACK')
        database.close()
      }
    },
  }))
})

describe.skipIf(!postgresIsThere())('a provider, over three processes on PostgreSQL', () => {
  let server: PostgresServer
  let keys: string
  beforeAll(async () => {
    server = await startPostgres()
    keys = await server.emptyDatabase()
    await migrate(keys)
  })
  afterAll(() => server?.stop())

  describeDeployment(() => ({
    keys,
    async takeAway() {
      await server.halt()
      return () => server.start()
    },
  }))
})

async function migrate(keys: string): Promise<void> {
  const store = openKeyStore(keys)
  await store.migrate?.()
  await store.close()
}
