import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createVerifier, isAuthError } from '../../src/index.js'
import { OURS, type Subject, startSubject } from '../support/fault-subject.js'
import { AUDIENCE, forgery, formatRow, type Row, runScenario, SCENARIOS, signer } from '../support/faults.js'
import { FAULTS, type IssuerProcess, startIssuer } from '../support/issuer-server.js'

// A real issuer and a real service, each a process of its own. `FAULT_FLOOD` sets the size of the floods, for longer runs.
const flood = Number(process.env.FAULT_FLOOD || 100_000)

let issuer: IssuerProcess
let subject: Subject
const rows: Row[] = []

beforeAll(async () => {
  ;[issuer, subject] = await Promise.all([startIssuer(), startSubject(OURS, [])])
})

afterAll(async () => {
  await issuer?.close()
  await subject?.close()
  const widths = [40, 26, 8, 3]
  const lines = rows
    .map(formatRow)
    .map((cells) => cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' '))
  process.stdout.write(`\nfault, statuses, slowest answer, fetches of the key set, notes\n${lines.join('\n')}\n`)
})

async function run(name: string, { timeoutMs = 3000, size = 0 } = {}): Promise<Row> {
  expect(SCENARIOS).toContain(name)
  const row = await runScenario(name, {
    issuer,
    async start() {
      await subject.renew({ issuer: issuer.url, audience: AUDIENCE, keys: false, timeoutMs })
      return subject
    },
    flood: size,
    patienceMs: 20_000,
  })
  rows.push(row)
  return row
}

const statuses = (row: Row) => Object.fromEntries(row.statuses)

describe('an issuer that is out of order at the start', () => {
  test.each(FAULTS)(
    '%s: 503 with Retry-After, one attempt for all, and back by itself',
    async (fault) => {
      const row = await run(`at start: ${fault}`, { timeoutMs: 800 })
      expect(statuses(row)).toEqual({ 503: 6 })
      expect(row.retryAfter).toBe(true)
      expect(row.fetches).toBe(fault === 'refuses' || fault === 'wrong issuer' ? 0 : 1)
      expect(row.recoveryMs).toBeDefined()
    },
    40_000,
  )
})

describe('an issuer that is out of order when its keys are due', () => {
  const faults = FAULTS.filter((fault) => fault !== 'wrong issuer')
  test.each(faults)(
    '%s: tokens go on with the last good keys, and the next rotation is noticed',
    async (fault) => {
      const row = await run(`when the keys are due: ${fault}`, { timeoutMs: 800 })
      expect(statuses(row)).toEqual({ 200: 6 })
      expect(row.fetches).toBe(fault === 'refuses' ? 0 : 1)
      expect(row.recoveryMs).toBeDefined()
    },
    40_000,
  )

  test('metadata that has come to name another issuer: 503 once the last keys are an hour old', async () => {
    const row = await run('when the keys are due: wrong issuer')
    expect(statuses(row)).toEqual({ 503: 6 })
    expect(row.fetches).toBe(0)
    expect(row.recoveryMs).toBeDefined()
  }, 40_000)
})

test('1 000 first requests at once: all accepted, one fetch', async () => {
  const row = await run('1 000 first requests at once', { timeoutMs: 60_000 })
  expect(statuses(row)).toEqual({ 200: 1000 })
  expect(row.fetches).toBe(1)
}, 120_000)

const GAP_SECONDS = 1.2

/** A verifier that waits `GAP_SECONDS` between fetches for unknown kids, and what it answers to forged tokens. */
async function startFlood() {
  const old = signer(issuer, 'old')
  await issuer.order({ fault: null, keys: old.jwks.keys })
  const verifier = createVerifier({ issuer: issuer.url, audience: AUDIENCE, keys: false, timeoutMs: 1500 })
  const good = { authorization: `Bearer ${old.mint()}` }
  await vi.waitFor(() => verifier.ready(), { timeout: 30_000, interval: 500 })
  await verifier.authenticate(good)
  await issuer.order({ recount: true })
  const forged = forgery(old)
  const codes = new Map<string, number>()
  const askForged = async () => {
    const code = await Promise.resolve()
      .then(() => verifier.authenticate({ authorization: `Bearer ${forged()}` }))
      .then(
        () => 'accepted',
        (error: unknown) => (isAuthError(error) ? error.code : 'unexpected'),
      )
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  return { verifier, good, codes, askForged }
}

test('random kids, at most 1 000 at once: each is 401, and none is told that the service is out of order', async () => {
  const { verifier, good, codes, askForged } = await startFlood()
  const begunAt = performance.now()
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 990 }, askForged))
    expect(verifier.authenticate(good)).not.toBeInstanceOf(Promise)
  }
  const seconds = (performance.now() - begunAt) / 1000
  const { jwks } = await issuer.counts()
  await verifier.close()

  expect(Object.fromEntries(codes)).toEqual({ ERR_VANTAGE_TOKEN_INVALID: 5 * 990 })
  expect(jwks).toBeGreaterThan(1)
  expect(jwks).toBeLessThanOrEqual(1 + Math.floor(seconds / GAP_SECONDS))
}, 120_000)

test('random kids: fetches are bounded, memory flat, good tokens accepted without a wait', async () => {
  const { verifier, good, codes, askForged } = await startFlood()
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let heapBefore = 0
  const begunAt = performance.now()
  // Of those that come at once 1 000 wait for the next set, which refuses them.
  for (let sent = 0; sent < flood; sent += 2000) {
    if (sent >= flood / 5 && heapBefore === 0) {
      collect()
      heapBefore = process.memoryUsage().heapUsed
    }
    await Promise.all(Array.from({ length: 2000 }, askForged))
    expect(verifier.authenticate(good)).not.toBeInstanceOf(Promise)
  }
  const seconds = (performance.now() - begunAt) / 1000
  const { jwks } = await issuer.counts()
  collect()
  const growth = process.memoryUsage().heapUsed - heapBefore
  await verifier.close()

  expect([...codes.keys()].sort()).toEqual(['ERR_VANTAGE_TOKEN_INVALID', 'ERR_VANTAGE_UNAVAILABLE'])
  expect(jwks).toBeGreaterThanOrEqual(1)
  expect(jwks).toBeLessThanOrEqual(1 + Math.floor(seconds / GAP_SECONDS))
  expect(growth).toBeLessThan(4 * 2 ** 20)
}, 300_000)

test('rotation in the flood: the new key is accepted within 10 s, all others go on', async () => {
  const row = await run('rotation in the flood', { size: Math.min(flood, 2000) })
  expect([...row.statuses.keys()]).toEqual([401])
  expect(row.fetches).toBeLessThanOrEqual(2 + Math.floor(((row.minutes ?? 0) * 60) / 2.4))
  expect([...(row.good?.keys() ?? [])]).toEqual([200])
  expect(row.recoveryMs).toBeDefined()
}, 120_000)

test('rotation: the first token of a new key is accepted, by one fetch more', async () => {
  const row = await run('rotation')
  expect(row.recoveryMs).toBeDefined()
  expect(row.fetches).toBe(2)
}, 30_000)

test('withdrawal: a token of a withdrawn key ends within ten minutes, cached or not; others go on', async () => {
  const row = await run('withdrawal')
  expect(row.minutes).toBeGreaterThan(0)
  expect(row.minutes).toBeLessThanOrEqual(10)
  expect(row.statuses.get(401)).toBe(1)
  expect([...(row.good?.keys() ?? [])]).toEqual([200])
}, 30_000)

test('an outage of two hours: the last keys serve for 60 minutes, then 503, and it ends by itself', async () => {
  const row = await run('outage of two hours')
  expect(statuses(row)).toEqual({ 200: 60, 503: 60 })
  expect(row.minutes).toBe(60)
  expect(row.retryAfter).toBe(true)
  expect(row.recoveryMs).toBeDefined()
}, 60_000)
