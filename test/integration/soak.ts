/**
 * A service under mixed traffic while keys rotate, API keys are revoked, and issuer and store fail: every answer is held
 * against a model of what is allowed, and heap and handles have to stay flat. `npm run soak` takes ten minutes,
 * `npm run soak -- 60` as many seconds. `npm run soak -- 60 120` moves the clock of the service, the issuer and the tokens
 * 120 times as fast: two hours pass in a minute, with all the ages and expiries of two hours. Time limits and back-offs are
 * waited for in real time. The last line is the result; the exit code is 1 after a wrong answer or a leak.
 */
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import express from 'express'
import { requireScope, vantageAuth } from '../../adapters/express.js'
import { createKeyring, type KeyStore, memoryKeyStore } from '../../src/index.js'
import { FAULTS, startIssuer } from '../support/issuer-server.js'
import { createTestIssuer, type TestIssuer } from '../support/tokens.js'

const seconds = Number(process.argv[2] ?? process.env.SOAK_SECONDS ?? 600)
if (!(seconds >= 10)) throw new TypeError('the soak takes its length in seconds, at least 10')
const speed = Number(process.argv[3] ?? 1)
if (!(speed >= 1 && speed <= 1000)) throw new TypeError('the clock goes 1 to 1000 times as fast')

const AUDIENCE = 'https://api.vantage.example'
const WORKERS = 16
const TIMEOUT_MS = 3000
/** Shorter than the longest outage, so that sets come to their end in one. */
const MAX_STALE_MS = 6000
/** Time that an event takes to reach everybody: orders to the issuer and answers under way. */
const BLUR_MS = 1000
/** Longest time from a withdrawal to the refusal of what the key had signed. */
const WITHDRAWAL_MS = MAX_STALE_MS + BLUR_MS
/** Longest time in which a new key is not asked for, for the sake of unknown kids before it. */
const NOTICE_MS = 5000 + BLUR_MS
const LONGEST_OUTAGE_MS = 9000
const TOKEN_LIFE_MS = 15_000
/** Longest time from the end of an outage to the next good fetch: an attempt that hangs, and the back-off after it. */
const RECOVERY_MS = TIMEOUT_MS + 6000 + BLUR_MS

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T
const now = () => performance.now()
const startedAt = Date.now()
/** What the service and the issuer take for the time. */
const clock = () => startedAt + now() * speed

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

// The service, and what it depends on.
const issuer = await startIssuer()
const keys = memoryKeyStore()
const keyring = createKeyring(keys)
let storeDown = false
/** The store behind a connection that fails; its change feed goes on, or there would be nothing to decide from. */
const failingStore: KeyStore = {
  ...keys,
  async find(id) {
    if (storeDown) throw new Error('the store is out of reach')
    return await keys.find(id)
  },
  async addUsage(increments) {
    if (storeDown) throw new Error('the store is out of reach')
    await keys.addUsage(increments)
  },
}
const auth = vantageAuth({
  issuer: issuer.url,
  audience: AUDIENCE,
  keys: failingStore,
  timeoutMs: TIMEOUT_MS,
  clock,
  clockToleranceSeconds: 0,
  keySetMaxStaleSeconds: (MAX_STALE_MS / 1000) * speed,
  cache: { maxEntries: 500, ttlSeconds: 5 * speed },
})
const app = express()
app.use(auth)
app.get('/v1/jobs', requireScope('jobs:read'), (_, response) => void response.json([]))
app.post('/v1/jobs', requireScope('jobs:write'), (_, response) => void response.json({}))
const server = app.listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const { port } = server.address() as AddressInfo

// The model: what is true of the world, and since when. `Infinity`: not yet.
interface SigningKey {
  readonly issuer: TestIssuer
  readonly publishedAt: number
  withdrawnAt: number
}
const signingKeys: SigningKey[] = []
let serial = 0
async function addSigningKey(): Promise<void> {
  const made = createTestIssuer({ issuer: issuer.url, audience: AUDIENCE, kid: `key-${serial++}`, clock })
  await publish(made)
  signingKeys.push({ issuer: made, publishedAt: now(), withdrawnAt: Number.POSITIVE_INFINITY })
}
const published = () => signingKeys.filter(({ withdrawnAt }) => withdrawnAt === Number.POSITIVE_INFINITY)
async function publish(...more: TestIssuer[]): Promise<void> {
  await issuer.order({ keys: [...published().map((key) => key.issuer), ...more].flatMap(({ jwks }) => jwks.keys) })
}

interface ApiKey {
  readonly key: string
  readonly id: string
  /** From when on it may be refused. */
  revokingAt: number
  /** From when on it must be refused. */
  revokedAt: number
}
const apiKeys: ApiKey[] = []
/** How often each key was let in, which has to be what the store has counted in the end. */
const uses = new Map<string, number>()
async function addApiKey(): Promise<void> {
  const { key, record } = await keyring.create({ subject: 'soak', scopes: ['jobs:read'] })
  apiKeys.push({ key, id: record.id, revokingAt: Number.POSITIVE_INFINITY, revokedAt: Number.POSITIVE_INFINITY })
}

/** The last time in which something was out of order. */
const issuerTrouble = { from: Number.NEGATIVE_INFINITY, to: Number.NEGATIVE_INFINITY }
const storeTrouble = { from: Number.NEGATIVE_INFINITY, to: Number.NEGATIVE_INFINITY }
const issuerTroubled = (from: number, to: number) => issuerTrouble.from <= to && from <= issuerTrouble.to + RECOVERY_MS
const storeTroubled = (from: number, to: number) => storeTrouble.from <= to && from <= storeTrouble.to + BLUR_MS

// One request and what may be its answer.
const agent = new Agent({ keepAlive: true, maxSockets: WORKERS * 2 })
function ask(credential: string | undefined, method: 'GET' | 'POST'): Promise<number> {
  return new Promise((resolve) => {
    const send = () => {
      const headers = credential === undefined ? {} : { authorization: `Bearer ${credential}` }
      const outgoing = request({ host: '127.0.0.1', port, path: '/v1/jobs', method, agent, headers, timeout: 20_000 })
      outgoing.once('response', (response) => {
        response.resume()
        const retryAfter = Number(response.headers['retry-after'])
        const complete = response.statusCode !== 503 || (retryAfter >= 1 && retryAfter <= 30)
        response.once('end', () => resolve(complete ? (response.statusCode ?? 0) : -1))
      })
      outgoing.once('timeout', () => outgoing.destroy())
      outgoing.once('error', (error: NodeJS.ErrnoException) =>
        outgoing.reusedSocket && error.code === 'ECONNRESET' ? send() : resolve(0),
      )
      outgoing.end()
    }
    send()
  })
}

const wrong: string[] = []
const seen = new Map<string, number>()
let asked = 0
function judge(what: string, status: number, allowed: readonly number[]): void {
  asked++
  const label = `${what} ${status}`
  seen.set(label, (seen.get(label) ?? 0) + 1)
  if (!allowed.includes(status)) wrong.push(`${what}: ${status}, where only ${allowed.join(' or ')} may be`)
}

interface Token {
  readonly text: string
  /** When it expires. */
  readonly endsAt: number
}
function mint({ issuer }: SigningKey): Token {
  // As whole seconds of the clock, back to the time of the model.
  const exp = Math.ceil((clock() + TOKEN_LIFE_MS * speed) / 1000)
  return { text: issuer.mint({ scope: 'jobs:read', exp }), endsAt: (exp * 1000 - startedAt) / speed }
}
/** Tokens that are sent again and again, so that some come from the cache, also after their end. */
const repeated = new Map<SigningKey, Token>()
async function askWithToken(): Promise<void> {
  const signingKey = pick(signingKeys)
  const again = Math.random() < 0.7
  let token = again ? repeated.get(signingKey) : undefined
  if (token === undefined || token.endsAt + TOKEN_LIFE_MS / 4 < now()) token = mint(signingKey)
  if (again) repeated.set(signingKey, token)
  const method = Math.random() < 0.9 ? 'GET' : 'POST'
  const good = method === 'GET' ? 200 : 403
  const from = now()
  const status = await ask(token.text, method)
  const to = now()
  const withdrawn = signingKey.withdrawnAt <= to
  const gone = signingKey.withdrawnAt + WITHDRAWAL_MS < from
  const fresh = from < signingKey.publishedAt + NOTICE_MS
  const troubled = issuerTroubled(from, to)
  if (token.endsAt < from)
    judge('expired token that was good', status, withdrawn || fresh || troubled ? [401, 503] : [401])
  else if (token.endsAt <= to) judge('token at its end', status, [good, 401, 503])
  else if (gone) judge('token of a withdrawn key', status, [401, 503])
  else if (withdrawn) judge('token of a key being withdrawn', status, [good, 401, 503])
  else if (fresh || troubled) judge('token, 503 permitted', status, [good, 503])
  else judge('token', status, [good])
}

async function askWithApiKey(): Promise<void> {
  const apiKey = pick(apiKeys)
  const method = Math.random() < 0.9 ? 'GET' : 'POST'
  const good = method === 'GET' ? 200 : 403
  const from = now()
  const status = await ask(apiKey.key, method)
  const to = now()
  if (status === good) uses.set(apiKey.id, (uses.get(apiKey.id) ?? 0) + 1)
  if (apiKey.revokedAt < from) judge('revoked API key', status, storeTroubled(from, to) ? [401, 503] : [401])
  else if (apiKey.revokingAt <= to) judge('API key being revoked', status, [good, 401, 503])
  else judge('API key', status, storeTroubled(from, to) ? [good, 503] : [good])
}

/** What is never accepted, whatever else happens. */
async function askWithRubbish(): Promise<void> {
  const signingKey = pick(signingKeys)
  const from = now()
  const forged = signingKey.issuer.mint().replace(/[^.]+$/, randomBytes(64).toString('base64url'))
  const [what, credential, undecided] = pick<[string, string | undefined, boolean]>([
    ['no credential', undefined, false],
    ['text', 'rubbish', false],
    ['forged signature', forged, true],
    ['unknown kid', signingKey.issuer.mint({}, { kid: `nobody-${Math.random()}` }), true],
    ['another audience', signingKey.issuer.mint({ aud: 'https://elsewhere.example' }), true],
    ['expired token', signingKey.issuer.mint({ exp: Math.floor(clock() / 1000) - 60 }), true],
    ['another issuer', signingKey.issuer.mint({ iss: 'https://elsewhere.example' }), false],
    ['mistyped API key', `${pick(apiKeys).key.slice(0, -1)}!`, false],
  ])
  const status = await ask(credential, 'GET')
  const to = now()
  const keyMoves = from < signingKey.publishedAt + NOTICE_MS || signingKey.withdrawnAt <= to
  const permitted = undecided && (keyMoves || issuerTroubled(from, to))
  judge(what, status, permitted ? [401, 503] : [401])
}

// What happens to the world, every few seconds; each kind goes on while the others do.
let over = false
const happened = new Map<string, number>()
async function repeatedly(what: string, pauseMs: number, happen: () => Promise<void>): Promise<void> {
  while (!over) {
    await sleep(pauseMs * (0.5 + Math.random()))
    if (over) return
    happened.set(what, (happened.get(what) ?? 0) + 1)
    await happen()
  }
}

async function rotate(): Promise<void> {
  await addSigningKey()
  const [oldest, ...others] = published()
  if (oldest === undefined || others.length < 3) return
  oldest.withdrawnAt = now()
  await publish()
  // Those withdrawn long ago have nothing more to tell.
  while (signingKeys.length > 10) repeated.delete(signingKeys.shift() as SigningKey)
}

async function revoke(): Promise<void> {
  const apiKey = pick(apiKeys.filter(({ revokingAt }) => revokingAt === Number.POSITIVE_INFINITY))
  apiKey.revokingAt = now()
  await keyring.revoke(apiKey.id)
  apiKey.revokedAt = now()
  await addApiKey()
  if (apiKeys.length > 40)
    apiKeys.splice(
      apiKeys.findIndex(({ revokedAt }) => revokedAt < now()),
      1,
    )
}

async function failIssuer(): Promise<void> {
  Object.assign(issuerTrouble, { from: now(), to: Number.POSITIVE_INFINITY })
  await issuer.order({ fault: pick(FAULTS) })
  await sleep(1000 + Math.random() * (LONGEST_OUTAGE_MS - 1000))
  await issuer.order({ fault: null })
  issuerTrouble.to = now()
}

async function failStore(): Promise<void> {
  Object.assign(storeTrouble, { from: now(), to: Number.POSITIVE_INFINITY })
  storeDown = true
  await sleep(500 + Math.random() * 3000)
  storeDown = false
  storeTrouble.to = now()
}

async function traffic(): Promise<void> {
  while (!over) {
    await pick([askWithToken, askWithToken, askWithApiKey, askWithApiKey, askWithRubbish])()
    await sleep(Math.random() * 8)
  }
}

// Heap and handles, after a collection; the first sample is taken when everything is warm.
const samples: { heap: number; handles: number }[] = []
async function sampling(): Promise<void> {
  const step = Math.max(1000, (seconds * 1000) / 30)
  while (!over) {
    await sleep(step)
    collect()
    samples.push({ heap: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo().length })
  }
}

for (let count = 0; count < 3; count++) await addSigningKey()
for (let count = 0; count < 20; count++) await addApiKey()
await auth.verifier.ready()

const ended = sleep(seconds * 1000).then(() => {
  over = true
})
await Promise.all([
  ended,
  sampling(),
  repeatedly('rotations', 4000, rotate),
  repeatedly('revocations', 1000, revoke),
  // Time to recover in between: the back-off must start from the beginning for the model to be right.
  repeatedly('issuer outages', 2 * (RECOVERY_MS + BLUR_MS), failIssuer),
  repeatedly('store outages', 5000, failStore),
  ...Array.from({ length: WORKERS }, traffic),
])
await issuer.order({ fault: null })

agent.destroy()
await new Promise((resolve) => server.close(resolve))
await auth.verifier.close()
for (const [id, counted] of uses) {
  const { total } = await keys.readUsage(id, '')
  if (total !== counted) wrong.push(`the key ${id} was let in ${counted} times, and counted ${total} times`)
}
await keys.close()
await issuer.close()
await sleep(100)

// The medians of the second and the last third: one sample says little.
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const third = Math.floor(samples.length / 3)
const [middle, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)]
const growth = median(last.map(({ heap }) => heap)) - median(middle.map(({ heap }) => heap))
const handles = median(last.map(({ handles }) => handles)) - median(middle.map(({ handles }) => handles))
const left = process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|ConsoleWrap)$/.test(name))
if (growth > 4 * 2 ** 20) wrong.push(`the heap has grown by ${(growth / 2 ** 20).toFixed(1)} MiB`)
if (handles > 10) wrong.push(`there are ${handles} handles more`)
if (left.length > 0) wrong.push(`after close there is still ${left.join(', ')}`)

for (const [label, times] of [...seen].sort()) console.log(`${String(times).padStart(8)}  ${label}`)
for (const line of wrong.slice(0, 20)) console.log(`WRONG  ${line}`)
const events = [...happened].map(([name, times]) => `${name} ${times}`).join(', ')
console.log(
  `soak: ${seconds} s${speed === 1 ? '' : ` for ${((seconds * speed) / 3600).toFixed(1)} h`}, ${asked} requests, ${events}; heap ${growth >= 0 ? '+' : ''}${(growth / 2 ** 20).toFixed(1)} MiB, ` +
    `handles ${handles >= 0 ? '+' : ''}${handles}; ${wrong.length === 0 ? 'nothing wrong' : `${wrong.length} wrong`}`,
)
process.exitCode = wrong.length === 0 ? 0 : 1
