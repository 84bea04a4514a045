import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { createKeyring, createVerifier, isAuthError, memoryKeyStore, type VerifierOptions } from 'vantage-auth'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { FRAMEWORKS, type Running } from '../support/frameworks.js'
import { CANARY, type HostileRequest, hostileRequests, type Surroundings } from '../support/hostile.js'
import { createTestIssuer } from '../support/tokens.js'

/** `npm run fuzz` sets both: a million cases, and a new seed each time, which is printed. */
const CASES = Number(process.env.FUZZ_CASES ?? 50_000)
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_125)
/** Each request is decided by the verifier alone and by every framework. */
const DECIDERS = 1 + FRAMEWORKS.length

/** Requests that are on their way at the same time, so that those that wait for a fetch do so together. */
const AT_ONCE = 300
/**
 * Time from one request to the next. Milliseconds, as from a client that sends what it can: what expires between two
 * requests hides what they do to each other.
 */
const STEP_MS = 3
let now = Date.UTC(2026, 10, 25)
const clock = () => now

const servers: Server[] = []
const running: Running[] = []
/** For each framework, one client for each request that is on its way. */
const clients: Client[][] = []
const printed: string[] = []
const published: unknown[] = []
const fetched = new Set<string>()
const rejected: unknown[] = []
let visits = 0
let largest = { size: 0, stack: '' }

const record = (message: unknown) => void published.push(message)
const onRejection = (reason: unknown) => void rejected.push(reason)
const CHANNELS = ['vantage-auth:decision', 'vantage-auth:key-set', 'vantage-auth:store', 'vantage-auth:revocation']
const restore: (() => void)[] = []

beforeAll(() => {
  for (const channel of CHANNELS) subscribe(channel, record)
  process.on('unhandledRejection', onRejection)
  process.on('warning', record)
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      printed.push(String(chunk))
      return write.call(stream, chunk, ...rest)
    }) as typeof stream.write
    restore.push(() => {
      stream.write = write
    })
  }
  restore.push(watchSizes(Map.prototype, 'set'), watchSizes(Set.prototype, 'add'))
})

afterAll(async () => {
  for (const undo of restore) undo()
  for (const channel of CHANNELS) unsubscribe(channel, record)
  process.off('unhandledRejection', onRejection)
  process.off('warning', record)
  for (const client of clients.flat()) client.close()
  await Promise.all(running.map((service) => service.close()))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
})

/** Remembers the largest collection that anything fills from here on. */
function watchSizes(prototype: object, method: 'set' | 'add'): () => void {
  const target = prototype as Record<string, (...values: unknown[]) => { size: number }>
  const original = target[method] as (...values: unknown[]) => { size: number }
  target[method] = function (this: { size: number }, ...values) {
    const result = original.apply(this, values)
    if (this.size > largest.size) largest = { size: this.size, stack: new Error('filled here').stack ?? '' }
    return result
  }
  return () => {
    target[method] = original
  }
}

async function listen(server: Server): Promise<string> {
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

// ---------------------------------------------------------------------------------------------------------------------
// A client that sends bytes as they are, and gives back all that came.

interface Client {
  /** The whole answer, status line and all. Rejects when there is none within 20 seconds: a request waits for two fetches at most. */
  exchange(request: string, withBody: boolean): Promise<string>
  close(): void
}

function createClient(port: number): Client {
  let socket: Socket | undefined
  const open = () => {
    if (socket === undefined || socket.destroyed) socket = connect(port, '127.0.0.1').setNoDelay().setEncoding('latin1')
    return socket
  }
  return {
    exchange: (request, withBody) =>
      new Promise((resolve, reject) => {
        const current = open()
        let answer = ''
        const onData = (chunk: string) => {
          answer += chunk
          if (isWhole(answer, withBody)) end()
        }
        const timer = setTimeout(() => end(new Error(`no answer within 20 seconds: ${answer}`)), 20_000)
        const end = (failure?: Error) => {
          clearTimeout(timer)
          current.off('data', onData).off('close', onClose).off('error', onClose)
          if (failure !== undefined || /^connection: close/im.test(answer)) current.destroy()
          if (failure === undefined) resolve(answer)
          else reject(failure)
        }
        const onClose = () => end(answer === '' ? new Error('the connection was closed without an answer') : undefined)
        current.on('data', onData).once('close', onClose).once('error', onClose)
        current.write(request, 'latin1')
      }),
    close: () => void socket?.destroy(),
  }
}

function isWhole(answer: string, withBody: boolean): boolean {
  const end = answer.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = Number(/^content-length: (\d+)/im.exec(answer.slice(0, end))?.[1] ?? 0)
  return answer.length >= end + 4 + (withBody ? length : 0)
}

// ---------------------------------------------------------------------------------------------------------------------
// What is fuzzed: six issuers, one of them fetched, three with options that read more of a token, and a store of keys in every state.

async function createSurroundings(): Promise<{ surroundings: Surroundings; shown: string; options: VerifierOptions }> {
  const elsewhere = await listen(
    createServer((_, response) => {
      visits++
      response.end('{}')
    }),
  )
  let published = ''
  const remote = await listen(
    createServer((request, response) => response.writeHead(request.url === '/jwks' ? 200 : 404).end(published)),
  )
  const life = { clock: () => now + 10 * 365 * 86_400_000 }
  /** Its tokens are good for as long as the clock runs here, and have claims and members of the header besides. */
  const long = (issuer: ReturnType<typeof createTestIssuer>, more = {}, typ = 'at+jwt') => {
    const own = () => ({ exp: Math.floor(life.clock() / 1000), ...more })
    return {
      ...issuer,
      mint: (claims = {}, header = {}) => issuer.mint({ ...own(), ...claims }, { typ, ...header }),
      claims: (over = {}) => issuer.claims({ ...own(), ...over }),
      header: (over = {}) => issuer.header({ typ, ...over }),
    }
  }
  const fixed = { clock: () => Date.UTC(2026, 10, 25) }
  const issuers = [
    long(createTestIssuer({ issuer: 'https://a.example', kid: 'a', ...fixed })),
    long(createTestIssuer({ issuer: 'https://b.example', kid: 'b', alg: 'RS256', ...fixed })),
    long(createTestIssuer({ issuer: remote, kid: 'c', alg: 'EdDSA', ...fixed })),
    // Whose options read far more of a token.
    long(createTestIssuer({ issuer: 'https://d.example/one', kid: 'd', ...fixed }), {
      ...{ tid: 'one', ver: 2, who: { id: 'ann' }, azp: 'client_1', sid: 's1', act: { sub: 'svc' } },
      'a.b': { roles: ['Clusters.Read'] },
    }),
    long(createTestIssuer({ issuer: 'https://e.example', kid: 'e', alg: 'EdDSA', ...fixed }), { aud: undefined }),
    long(
      createTestIssuer({ issuer: 'spiffe://f.example', kid: 'f', ...fixed }),
      { iss: undefined, sub: 'spiffe://f.example/jobs/a' },
      'JWT',
    ),
  ]
  published = JSON.stringify(issuers[2]?.jwks)

  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  const create = (scopes: ['jobs:read', ...string[]], environment: 'live' | 'test' = 'live') =>
    createKeyring(store, { environment }).create({ subject: 'user_1', scopes: scopes as never, expiresIn: null })
  const good = await create(['jobs:read', 'clusters:read'])
  const revoked = await create(['jobs:read'])
  await keyring.revoke(revoked.record.id)
  const test = await create(['jobs:read'], 'test')
  const { key: shown } = await create(['jobs:read'])

  return {
    // Good, and shown to the services wherever they must not look for it.
    shown,
    surroundings: {
      issuers,
      elsewhere,
      apiKeys: [good.key, good.key, revoked.key, test.key, generateApiKey('live').key],
    },
    options: {
      issuer: [
        { issuer: 'https://a.example', jwks: issuers[0]?.jwks as never, tenantClaim: 'org' },
        { issuer: 'https://b.example', jwks: issuers[1]?.jwks as never, profile: 'lenient' },
        { issuer: remote, jwksUri: `${remote}/jwks` },
        {
          issuer: 'https://d.example/{tenantid}',
          tenants: ['one', 'two'],
          jwks: issuers[3]?.jwks as never,
          subjectClaim: 'who.id',
          subjectAliases: ['uid', 'who.name'],
          tenantClaim: 'tid',
          clientIdClaim: 'azp',
          sessionClaim: 'sid',
          requireClient: true,
          required: { ver: ['1', 2], tid: '{tenantid}' },
          scopeClaims: ['scope', 'org.roles', ['a.b', 'roles']],
          scopes: 'union',
          scopeMap: { 'Clusters.Read': ['clusters:read', 'jobs:read'], constructor: 'jobs:write' },
        },
        {
          issuer: 'https://e.example',
          jwks: issuers[4]?.jwks as never,
          profile: 'lenient',
          clients: ['client_1'],
          scopeClaims: [],
          grants: [
            { match: { sub: 'user_123' }, scopes: ['jobs:read', 'clusters:read'] },
            { match: { 'org.id': 'x/*', '["a.b", "id"]': 1 }, scopes: ['jobs:write'] },
          ],
        },
        {
          trustDomain: 'f.example',
          jwks: issuers[5]?.jwks as never,
          grants: [{ match: { sub: 'spiffe://f.example/jobs/*' }, scopes: ['jobs:read'] }],
        },
      ],
      keys: store,
      cache: { maxEntries: 200 },
      // The issuer is in this process, which is busy with all that is on its way. Two fetches fit into what a client waits.
      timeoutMs: 9000,
      clock,
      fetch: (input, init) => {
        fetched.add(String(input))
        return fetch(input, init)
      },
    },
  }
}

/** Texts of a request that must not come back: credentials and their parts, and what the client made up. */
function secretsOf({ lines }: HostileRequest): string[] {
  const parts = lines.flatMap((line) => line.split(/[\s.,;:="]+/)).filter((part) => part.length >= 16)
  return [...new Set([CANARY, ...parts])]
}

/** Millions of these are made, which is too many for expect(). */
function check(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what())
}

function checkNoLeak(text: string, secrets: readonly string[], where: string): void {
  check(leaks(text, secrets).length === 0, () => `${where} shows ${leaks(text, secrets)}: ${text}`)
}

function leaks(text: string, secrets: readonly string[]): string[] {
  return secrets.filter((secret) => text.includes(secret))
}

const STATUS = /^HTTP\/1\.1 (\d{3}) /

test(`decides on ${CASES} hostile requests without a 5xx, a hang, a leak or a request elsewhere`, {
  timeout: 7_200_000,
}, async () => {
  const { surroundings, shown, options } = await createSurroundings()
  const verifier = createVerifier(options)
  for (const framework of FRAMEWORKS) {
    const service = await framework.start({
      mounts: [{ ...options, onError: (error) => void record(error) }],
      routes: [
        { path: '/self' },
        { path: '/all', all: ['jobs:read', 'clusters:read'], answer: () => 'let in' },
        { path: '/any', any: ['jobs:write', 'teams:read'], answer: () => 'let in' },
      ],
    })
    running.push(service)
    clients.push(Array.from({ length: AT_ONCE }, () => createClient(service.port)))
  }

  const outcomes = new Map<string, number>()
  const accepted = new Map<string, number>()
  let cases = 0

  /** What the verifier says: the status of a refusal, or 200. */
  async function decide(lines: readonly string[], secrets: readonly string[]): Promise<number> {
    // As Node's parser hands them on: without white space around them.
    const authorization = lines.map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ''))
    try {
      const auth = await verifier.authenticate({ authorization })
      checkNoLeak(inspect(auth, { depth: 9 }), secrets.slice(1), 'the Auth')
      outcomes.set(auth.kind, (outcomes.get(auth.kind) ?? 0) + 1)
      if (auth.kind === 'access_token') accepted.set(auth.issuer, (accepted.get(auth.issuer) ?? 0) + 1)
      return 200
    } catch (error) {
      if (!isAuthError(error)) throw error
      const outcome = error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? error.reason : error.code
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      checkNoLeak(inspect(error, { depth: 9, showHidden: true }), secrets, 'the error')
      return error.status
    }
  }

  async function run(request: HostileRequest, place: number): Promise<void> {
    now += STEP_MS
    const { lines, method, path } = request
    const secrets = secretsOf(request)
    const target = path.endsWith('=') || path.endsWith('%20') ? path + shown : path
    const bytes = [
      `${method} ${target} HTTP/1.1`,
      'Host: localhost',
      `X-Api-Key: ${shown}`,
      `Cookie: access_token=${shown}`,
      ...(method === 'POST' ? ['Content-Length: 0'] : []),
      ...lines.map((line) => `Authorization: ${line}`),
    ]
    const [status, ...answers] = await Promise.all([
      decide(lines, secrets),
      ...clients.map((some) => (some[place] as Client).exchange(`${bytes.join('\r\n')}\r\n\r\n`, method !== 'HEAD')),
    ])
    cases += DECIDERS

    check([200, 400, 401].includes(status), () => `the verifier says ${status}`)
    for (const [index, answer] of answers.entries()) {
      const name = FRAMEWORKS[index]?.name as string
      const answered = Number(STATUS.exec(answer)?.[1])
      // Behind the door a guard may refuse, and a path may be unknown or know no such method.
      const permitted = status === 200 ? [200, 403, 404] : [status]
      check(permitted.includes(answered), () => `${name} does not say ${status}: ${answer}`)
      // What was let in may show its subject, and a framework's own 404 the path that was asked for.
      const own = status === 200 ? secrets.slice(1) : secrets
      checkNoLeak(answer, answered === 404 ? own : [...own, shown], name)
    }
  }

  async function runAll(requests: readonly HostileRequest[]): Promise<void> {
    await Promise.all(requests.map(run))
    // A server may end a connection that nobody has used for five seconds, at the moment at which it is used again.
    for (const client of clients.flat()) client.close()
    const secrets = [...new Set(requests.flatMap(secretsOf)), shown]
    for (const message of [...published.splice(0), ...printed.splice(0)]) {
      checkNoLeak(typeof message === 'string' ? message : inspect(message, { depth: 9 }), secrets, 'telemetry')
    }
    check(rejected.length === 0, () => `nobody cared for ${inspect(rejected)}`)
    check(visits === 0, () => 'an address was asked that nobody configured')
  }

  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heap: number[] = []
  const arbitrary = hostileRequests(surroundings)
  const rounds = 5
  const perRound = Math.ceil(CASES / DECIDERS / rounds)
  let seed = SEED
  const began = performance.now()
  for (let round = 0; round < rounds; round++) {
    for (let left = perRound; left > 0; left -= AT_ONCE, seed++) {
      const requests = fc.sample(arbitrary, { seed, numRuns: Math.min(left, AT_ONCE) })
      await runAll(requests).catch((error) => {
        throw new Error(`with the seed ${seed}: ${error.message}`, { cause: error })
      })
    }
    collect()
    heap.push(process.memoryUsage().heapUsed / 2 ** 20)
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(0)

  await verifier.close()
  console.log(
    [
      `${cases} cases (seed ${SEED}) in ${seconds} s, ${DECIDERS} deciders each request`,
      `outcomes of the verifier: ${[...outcomes]
        .sort((a, b) => b[1] - a[1])
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}`,
      `largest map or set: ${largest.size} entries; heap after each fifth: ${heap.map((mib) => mib.toFixed(0)).join(', ')} MiB`,
      `fetched: ${[...fetched].join(' ')}`,
    ].join('\n'),
  )
  expect(cases).toBeGreaterThanOrEqual(CASES)
  expect([...fetched]).toEqual([`${surroundings.issuers[2]?.issuer}/jwks`])
  expect(largest.size, largest.stack).toBeLessThanOrEqual(5001)
  expect((heap.at(-1) as number) - (heap[1] as number)).toBeLessThan(48)
  // A run that never gets to a check, or to an issuer, says nothing of it.
  for (const issuer of ['https://d.example/one', 'https://e.example', 'spiffe://f.example']) {
    expect(accepted.get(issuer) ?? 0, issuer).toBeGreaterThan(0)
  }
  for (const outcome of [
    ...['access_token', 'api_key', 'malformed', 'checksum', 'environment', 'unknown', 'algorithm', 'type', 'issuer'],
    ...['key', 'signature', 'claims', 'audience', 'expired', 'not_active', 'sender_constrained', 'revoked'],
    ...['ERR_VANTAGE_CREDENTIALS_MISSING', 'ERR_VANTAGE_REQUEST_INVALID'],
  ]) {
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(0)
  }
})

test('prints nothing of hostile credentials where NODE_DEBUG asks for every refusal', async () => {
  const script = fileURLToPath(new URL('../support/hostile-log.ts', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, NODE_DEBUG: 'vantage-auth' },
    maxBuffer: 2 ** 26,
  })
  const secrets = JSON.parse(stdout) as string[]
  const lines = stderr.split('\n').filter((line) => line.startsWith('VANTAGE-AUTH'))

  expect(secrets.length).toBeGreaterThan(500)
  expect(lines.length).toBeGreaterThan(500)
  expect(leaks(stderr, secrets)).toEqual([])
})
