import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { resolveOptions, type VerifierOptions } from '../../src/config/options.js'
import { UnavailableError } from '../../src/core/errors.js'
import type { KeySetEvent } from '../../src/core/telemetry.js'
import { metadataUrls } from '../../src/token/discovery.js'
import { createIssuer, type Issuer } from '../../src/token/issuer.js'
import type { VerificationKey } from '../../src/token/key-set.js'
import { createKeyPair, publicJwk } from '../support/tokens.js'

const START = Date.parse('2026-11-25T12:00:00Z')
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const jwk = (kid: string) => publicJwk(createKeyPair('ES256').publicKey, { kid, alg: 'ES256', use: 'sig' })
const [old, successor, third] = [jwk('old'), jwk('new'), jwk('third')]

type Answer = (response: ServerResponse, request: IncomingMessage) => void

const json =
  (value: unknown): Answer =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end()
const text =
  (body: string | Uint8Array, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(200, headers).end(body)
const silence: Answer = () => {}

/** An issuer whose every answer a test can replace, and a clock that it can move. */
async function setUp(options: Partial<VerifierOptions> & { path?: string } = {}) {
  const { path = '', ...verifierOptions } = options
  const answers = new Map<string, Answer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url as string)
    const answer = answers.get(request.url as string) ?? status(404)
    answer(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const url = `${origin}${path}`
  const metadataPath = metadataUrls(url).oauth.pathname
  const openidPath = metadataUrls(url).openid.pathname
  answers.set(metadataPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
  answers.set('/jwks', json({ keys: [old] }))

  const clock = { now: START }
  const config = resolveOptions(
    { issuer: url, keys: false, timeoutMs: 3000, clock: () => clock.now, ...verifierOptions },
    {},
  )
  const issuer = createIssuer(config.issuers[0] as (typeof config.issuers)[0], config)
  let attempts = 0
  const onAttempt = (event: unknown) => {
    if ((event as KeySetEvent).issuer === url) attempts++
  }
  subscribe('vantage-auth:key-set', onAttempt)
  onTestFinished(() => {
    unsubscribe('vantage-auth:key-set', onAttempt)
    issuer.close()
    server.closeAllConnections()
    server.close()
  })
  return {
    issuer,
    clock,
    url,
    origin,
    metadataPath,
    openidPath,
    answers,
    asked,
    /** Waits until so many attempts have ended, well or not. */
    ended: (count: number) => vi.waitFor(() => expect(attempts).toBe(count), { timeout: 10_000 }),
    fetches: (what = '/jwks') => asked.filter((path) => path === what).length,
    keys: (...keys: object[]) => answers.set('/jwks', json({ keys })),
    down: () => answers.set('/jwks', (response) => response.destroy()),
  }
}

/** An issuer elsewhere, behind a fetch of the test's own. */
function setUpFetch(fetch: (url: URL, init: RequestInit) => unknown, options: Partial<VerifierOptions> = {}) {
  const clock = { now: START }
  const config = resolveOptions(
    {
      issuer: 'https://issuer.example',
      keys: false,
      timeoutMs: 100,
      clock: () => clock.now,
      fetch: fetch as unknown as typeof globalThis.fetch,
      ...options,
    },
    {},
  )
  const issuer = createIssuer(config.issuers[0] as (typeof config.issuers)[0], config)
  onTestFinished(() => issuer.close())
  return { issuer, clock }
}

/** How the question for a key ends: `found`, `none`, or `unavailable` with the seconds of Retry-After. */
async function ask(issuer: Issuer, kid = 'old'): Promise<string> {
  try {
    return (await issuer.keysFor('ES256', kid)).length > 0 ? 'found' : 'none'
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error
    return `unavailable ${error.headers['Retry-After']}`
  }
}

/** What the log says of an answer that is unavailable. */
async function causeOf(issuer: Issuer, kid = 'old'): Promise<string> {
  try {
    await issuer.keysFor('ES256', kid)
  } catch (error) {
    return ((error as UnavailableError).cause as Error).message
  }
  throw new Error('it is available')
}

/** Like {@link ask}, and the answer must be there without waiting. */
function askNow(issuer: Issuer, kid = 'old'): string {
  const keys = issuer.keysFor('ES256', kid)
  if (keys instanceof Promise) {
    keys.catch(() => {})
    throw new Error('the answer has to be waited for')
  }
  return keys.length > 0 ? 'found' : 'none'
}

async function keyOf(issuer: Issuer) {
  const [key] = await issuer.keysFor('ES256', 'old')
  if (key === undefined) throw new Error('the key is missing')
  return key
}

/** What a verifier does on a cache hit. */
function serve(issuer: Issuer, key: VerificationKey, clock: { now: number }): 'fresh' | 'stale' | false {
  const served = issuer.serves(key, clock.now)
  if (served) issuer.refreshIfDue(clock.now)
  return served
}

async function readiness(issuer: Issuer): Promise<string> {
  return await issuer.ready().then(
    () => 'ready',
    (error: Error) => error.message,
  )
}

const turn = () => new Promise(setImmediate)
const settled = () => new Promise((resolve) => setTimeout(resolve, 30))

afterEach(() => {
  vi.restoreAllMocks()
})

describe('where the key set is', () => {
  test('nothing is fetched before the first question', async () => {
    const { asked } = await setUp()
    await settled()
    expect(asked).toEqual([])
  })

  test.each([
    ['', '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
    ['/', '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
    ['/tenant/1', '/.well-known/oauth-authorization-server/tenant/1', '/tenant/1/.well-known/openid-configuration'],
    ['/tenant/1/', '/.well-known/oauth-authorization-server/tenant/1', '/tenant/1/.well-known/openid-configuration'],
  ])('the metadata of https://issuer.example%s is at %s, then at %s', (path, oauth, openid) => {
    const urls = metadataUrls(`https://issuer.example${path}`)
    expect([urls.oauth.href, urls.openid.href]).toEqual([
      `https://issuer.example${oauth}`,
      `https://issuer.example${openid}`,
    ])
  })

  test('asks the RFC 8414 location, and only that where it answers', async () => {
    const { issuer, asked } = await setUp({ path: '/tenant' })
    expect(await ask(issuer)).toBe('found')
    expect(asked).toEqual(['/.well-known/oauth-authorization-server/tenant', '/jwks'])
  })

  test.each([404, 410])('goes on to the OpenID location after %d', async (code) => {
    const { issuer, asked, answers, url, origin, metadataPath, openidPath } = await setUp({ path: '/tenant' })
    answers.set(metadataPath, status(code))
    answers.set(openidPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toBe('found')
    expect(asked).toEqual([metadataPath, openidPath, '/jwks'])
  })

  test.each([400, 403, 500, 503, 204])('does not go on after %d', async (code) => {
    const { issuer, asked, answers, url, origin, metadataPath, openidPath } = await setUp()
    answers.set(metadataPath, status(code))
    answers.set(openidPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(asked).toEqual([metadataPath])
    expect(await readiness(issuer)).toContain(`${origin}${metadataPath} answered ${code}`)
  })

  test('is unavailable where neither location has metadata', async () => {
    const { issuer, answers, metadataPath } = await setUp()
    answers.set(metadataPath, status(404))
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test.each(['another path', undefined, null, 7, ['x']])(
    'is unavailable when the metadata names the issuer %j, and ready() names both',
    async (named) => {
      const { issuer, answers, asked, url, origin, metadataPath } = await setUp()
      answers.set(metadataPath, json({ issuer: named, jwks_uri: `${origin}/jwks` }))
      expect(await ask(issuer)).toMatch('unavailable')
      expect(asked).toEqual([metadataPath])
      const message = await readiness(issuer)
      expect(message).toContain(`names the issuer ${JSON.stringify(named)} instead of ${JSON.stringify(url)}`)
    },
  )

  test('a name of any length in the metadata makes no long line of a log', async () => {
    const { issuer, answers, origin, metadataPath } = await setUp()
    answers.set(metadataPath, json({ issuer: 'x'.repeat(10_000), jwks_uri: `${origin}/jwks` }))
    expect((await readiness(issuer)).length).toBeLessThan(600)
  })

  test('an issuer with a slash at the end is another issuer', async () => {
    const { issuer, answers, url, origin, metadataPath } = await setUp()
    answers.set(metadataPath, json({ issuer: `${url}/`, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test.each([undefined, 7, 'keys', '/jwks', ['https://issuer.example/jwks']])(
    'is unavailable when jwks_uri is %j',
    async (uri) => {
      const { issuer, answers, url, metadataPath } = await setUp()
      answers.set(metadataPath, json({ issuer: url, jwks_uri: uri }))
      expect(await ask(issuer)).toMatch('unavailable')
      expect(await readiness(issuer)).toContain('has no jwks_uri')
    },
  )

  test.each([null, [], 'text', 7])('is unavailable when the metadata is %j', async (metadata) => {
    const { issuer, answers, metadataPath } = await setUp()
    answers.set(metadataPath, json(metadata))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(await causeOf(issuer)).toContain('names the issuer undefined instead of')
  })

  /** What metadata of this issuer may lead to; `fetch` answers like the network, where every host exists. */
  async function leadsTo(issuerUrl: string, jwksUri: string, allowInsecureHttp = false): Promise<string> {
    const asked: string[] = []
    const { issuer } = setUpFetch(
      async (url) => {
        asked.push(url.href)
        const isMetadata = url.pathname.startsWith('/.well-known/')
        return Response.json(isMetadata ? { issuer: issuerUrl, jwks_uri: jwksUri } : { keys: [old] })
      },
      { issuer: [{ issuer: issuerUrl, allowInsecureHttp }] },
    )
    const answer = await ask(issuer)
    expect(asked).toHaveLength(answer === 'found' ? 2 : 1)
    return answer === 'found' ? 'found' : await readiness(issuer)
  }

  test('metadata may lead to another https host', async () => {
    expect(await leadsTo('https://issuer.example', 'https://keys.example/jwks')).toBe('found')
  })

  test('metadata does not lead from https to http, whatever the issuer is allowed', async () => {
    expect(await leadsTo('https://issuer.example', 'http://issuer.example/jwks')).toContain('not https')
    expect(await leadsTo('https://issuer.example', 'http://issuer.example/jwks', true)).toContain('not https')
    expect(await leadsTo('https://localhost', 'http://localhost/jwks')).toContain('not https')
    expect(await leadsTo('https://issuer.example', 'data:application/json,{"keys":[]}')).toContain('not https')
  })

  test.each([
    'https://localhost/jwks',
    'https://keys.localhost./jwks',
    'https://127.0.0.1/jwks',
    'https://127.9.9.9/jwks',
    'https://2130706433/jwks',
    'https://0x7f.1/jwks',
    'https://0.0.0.0/jwks',
    'https://[::1]/jwks',
    'https://[::]/jwks',
    'https://[::ffff:127.0.0.1]/jwks',
  ])('metadata of an issuer elsewhere does not lead to %s', async (jwksUri) => {
    expect(await leadsTo('https://issuer.example', jwksUri)).toContain('loopback')
  })

  test('metadata of an issuer that may use http leads to http, and not to loopback', async () => {
    expect(await leadsTo('http://issuer.example', 'http://issuer.example/jwks', true)).toBe('found')
    expect(await leadsTo('http://issuer.example', 'http://127.0.0.1/jwks', true)).toContain('loopback')
    expect(await leadsTo('http://issuer.example', 'data:application/json,{"keys":[]}', true)).toContain('not https')
  })

  test.each(['user:hunter2', ':hunter2', 'hunter2'])(
    'metadata does not lead to a URL with a password, and the error does not show it: %s',
    async (userinfo) => {
      const message = await leadsTo('https://issuer.example', `https://${userinfo}@issuer.example/jwks`)
      expect(message).toContain('password')
      expect(message).not.toContain('hunter2')
    },
  )

  test('with jwksUri nothing is discovered, and errors leave out its query', async () => {
    const { issuer, asked, answers, origin } = await setUp()
    const direct = setUpFetch(globalThis.fetch, {
      issuer: [{ issuer: 'https://issuer.example', jwksUri: `${origin}/jwks?code=hunter2` }],
      timeoutMs: 3000,
    }).issuer
    expect(await ask(direct)).toMatch('unavailable')
    expect(await readiness(direct)).toBe(`issuer https://issuer.example: ${origin}/jwks answered 404`)
    answers.set('/jwks?code=hunter2', json({ keys: [old] }))
    const { issuer: good } = setUpFetch(globalThis.fetch, {
      issuer: [{ issuer: 'https://issuer.example', jwksUri: `${origin}/jwks?code=hunter2` }],
      timeoutMs: 3000,
    })
    expect(await ask(good)).toBe('found')
    expect(asked).toEqual(['/jwks?code=hunter2', '/jwks?code=hunter2'])
    expect(await ask(issuer)).toBe('found')
  })

  test('metadata is fetched again after an hour', async () => {
    const { issuer, clock, fetches, metadataPath } = await setUp()
    for (let minutes = 0; minutes < 60; minutes += 10) {
      clock.now = START + minutes * MINUTE
      expect(await ask(issuer)).toBe('found')
    }
    expect([fetches(metadataPath), fetches()]).toEqual([1, 6])
    clock.now = START + HOUR
    expect(await ask(issuer)).toBe('found')
    expect([fetches(metadataPath), fetches()]).toEqual([2, 7])
  })

  test('metadata is fetched again when the key set fails, so that a moved key set is found', async () => {
    const { issuer, clock, answers, fetches, url, origin, metadataPath } = await setUp()
    expect(await ask(issuer)).toBe('found')
    answers.set('/jwks', status(404))
    answers.set('/moved', json({ keys: [successor] }))
    answers.set(metadataPath, json({ issuer: url, jwks_uri: `${origin}/moved` }))
    clock.now += 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    expect(fetches(metadataPath)).toBe(1)
    clock.now += 2 * SECOND
    expect(await ask(issuer, 'new')).toBe('found')
    expect([fetches(metadataPath), fetches('/moved')]).toEqual([2, 1])
  })
})

describe('what is taken from an issuer', () => {
  const refused: [what: string, answer: (origin: string) => Answer][] = [
    ['a redirect', (origin) => status(302, { location: `${origin}/elsewhere` })],
    ['a permanent redirect', (origin) => status(308, { location: `${origin}/elsewhere` })],
    ['an error', () => status(500)],
    ['no content', () => status(204)],
    ['no body', () => status(200)],
    ['HTML', () => text('<!doctype html>')],
    ['JSON that breaks off', () => text('{"keys":[')],
    ['bytes that are not UTF-8', () => text(Buffer.from([0x22, 0xff, 0x22]))],
    ['JSON that is no key set', () => json({ keys: {} })],
    ['null', () => json(null)],
    ['a list', () => json([old])],
    ['a connection that ends', () => (response) => void response.destroy()],
    [
      'a body that ends too early',
      () => (response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('{"keys":[]}', () => response.destroy())
      },
    ],
    ['more than 256 KiB', () => text(padded(256 * 1024 + 1))],
    ['more than 256 KiB after unpacking', () => text(gzipSync(padded(256 * 1024 + 1)), { 'content-encoding': 'gzip' })],
    ['more than 1000 keys', () => json({ keys: Array.from({ length: 1001 }, (_, i) => ({ ...old, kid: `${i}` })) })],
  ]
  const accepted: [what: string, answer: Answer][] = [
    ['256 KiB', text(padded(256 * 1024))],
    ['a packed body', text(gzipSync(padded(1000)), { 'content-encoding': 'gzip' })],
    ['1000 keys', json({ keys: [old, ...Array.from({ length: 999 }, (_, i) => ({ kty: 'EC', kid: `${i}` }))] })],
    ['another content type', text(padded(1000), { 'content-type': 'application/jwk-set+json' })],
  ]

  function padded(length: number): string {
    const set = JSON.stringify({ keys: [old] })
    return set + ' '.repeat(length - set.length)
  }

  test.each(refused)('%s is no key set: unavailable, never a refusal of the credential', async (_, answer) => {
    const { issuer, answers, origin, fetches } = await setUp()
    answers.set('/elsewhere', json({ keys: [old] }))
    answers.set('/jwks', answer(origin))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(fetches('/elsewhere')).toBe(0)
    expect(await readiness(issuer)).toMatch(/^issuer http/)
  })

  test.each(refused)('%s does not replace the set that was loaded before', async (_, answer) => {
    const { issuer, clock, answers, origin } = await setUp()
    expect(await ask(issuer)).toBe('found')
    answers.set('/jwks', answer(origin))
    clock.now += 11 * MINUTE
    expect(await ask(issuer)).toBe('found')
    expect(issuer.generation).toBe(1)
  })

  test.each(accepted)('%s is taken', async (_, answer) => {
    const { issuer, answers } = await setUp()
    answers.set('/jwks', answer)
    expect(await ask(issuer)).toBe('found')
  })

  test('a redirect of the metadata is not followed', async () => {
    const { issuer, answers, origin, url, metadataPath, fetches } = await setUp()
    answers.set(metadataPath, status(302, { location: `${origin}/elsewhere` }))
    answers.set('/elsewhere', json({ issuer: url, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(fetches('/elsewhere')).toBe(0)
  })

  const slow: [what: string, answer: Answer][] = [
    ['headers do not come', silence],
    ['a body does not end', (response) => void response.writeHead(200).write('{"keys":')],
    [
      'a body drips',
      (response) => {
        const drip = setInterval(() => response.write(' '), 20)
        response.once('close', () => clearInterval(drip))
        response.writeHead(200)
      },
    ],
  ]
  test.each(slow)('is unavailable after timeoutMs where %s, and hangs up', async (_, answer) => {
    const { issuer, answers } = await setUp({ timeoutMs: 150 })
    let hungUp: Promise<void> | undefined
    answers.set('/jwks', (response, request) => {
      hungUp = new Promise((resolve) => response.once('close', resolve))
      answer(response, request)
    })
    expect(await ask(issuer)).toMatch('unavailable')
    expect(await readiness(issuer)).toContain('no answer within 150 ms')
    await hungUp
  })

  test('metadata and key set share one time limit', async () => {
    const { issuer, answers, url, origin, metadataPath, fetches } = await setUp({ timeoutMs: 400 })
    const late =
      (answer: Answer): Answer =>
      (response, request) =>
        void setTimeout(answer, 250, response, request)
    answers.set(metadataPath, late(json({ issuer: url, jwks_uri: `${origin}/jwks` })))
    answers.set('/jwks', late(json({ keys: [old] })))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(fetches()).toBe(1)
  })
})

describe('freshness', () => {
  test('many first questions share one fetch', async () => {
    const { issuer, asked, metadataPath } = await setUp()
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer)))
    expect(new Set(answers)).toEqual(new Set(['found']))
    expect(asked).toEqual([metadataPath, '/jwks'])
  })

  test('a set serves for 10 minutes, from 8 on with a refresh in the background', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now = START + 8 * MINUTE - 1
    expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 8 * MINUTE
    expect(askNow(issuer)).toBe('found')
    expect(askNow(issuer)).toBe('found')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(fetches()).toBe(2)
    // The age of the new set counts from its own fetch.
    clock.now = START + 16 * MINUTE - 1
    expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(2)
  })

  test('what a cache serves starts the refresh too', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 8 * MINUTE - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 8 * MINUTE
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(serve(issuer, key, clock)).toBe('fresh')
  })

  test('the question whether it serves starts no fetch', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 9 * MINUTE
    expect(issuer.serves(key, clock.now)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    issuer.refreshIfDue(clock.now)
    issuer.refreshIfDue(clock.now)
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(fetches()).toBe(2)
  })

  test('a refresh in the background is for a set that still serves: an older one is fetched by who needs it', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now = START + 10 * MINUTE
    issuer.refreshIfDue(clock.now)
    await settled()
    expect(fetches()).toBe(1)
  })

  test('a set of 10 minutes is not served unasked: a withdrawn key is found out', async () => {
    const { issuer, clock, keys } = await setUp()
    const key = await keyOf(issuer)
    keys(successor)
    clock.now = START + 10 * MINUTE - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(serve(issuer, key, clock)).toBe(false)
    clock.now += 10 * MINUTE
    const [found] = await issuer.keysFor('ES256', 'new')
    expect(found && serve(issuer, found, clock)).toBe('fresh')
  })

  test('after 10 minutes the next question waits for the fetch', async () => {
    const { issuer, clock, keys } = await setUp()
    const key = await keyOf(issuer)
    keys(successor)
    clock.now = START + 10 * MINUTE
    expect(serve(issuer, key, clock)).toBe(false)
    expect(() => askNow(issuer)).toThrow('waited for')
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('a withdrawn key ends what it verified, a kept one does not', async () => {
    const { issuer, clock, keys } = await setUp()
    keys(old, successor)
    const [withdrawn, kept] = [await keyOf(issuer), (await issuer.keysFor('ES256', 'new'))[0] as never]
    keys(successor)
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer, 'new')).toBe('found')
    expect(serve(issuer, withdrawn, clock)).toBe(false)
    expect(serve(issuer, kept, clock)).toBe('fresh')
  })

  test('keySetMaxStaleSeconds below 600 shortens freshness as well', async () => {
    const { issuer, clock, fetches, down, ended } = await setUp({ keySetMaxStaleSeconds: 100 })
    const key = await keyOf(issuer)
    clock.now = START + 80 * SECOND - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 80 * SECOND
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    down()
    clock.now = START + 180 * SECOND - 1
    expect(askNow(issuer)).toBe('found')
    await ended(3)
    clock.now = START + 180 * SECOND
    expect(serve(issuer, key, clock)).toBe(false)
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test('whoever waited for a set gets it, however long the fetch took', async () => {
    const { issuer, clock, answers } = await setUp({ keySetMaxStaleSeconds: 1 })
    answers.set('/jwks', (response, request) => {
      clock.now += 2 * SECOND
      json({ keys: [old] })(response, request)
    })
    expect(await ask(issuer)).toBe('found')
  })
})

describe('an outage', () => {
  test('the last good set serves until keySetMaxStaleSeconds after it was fetched', async () => {
    const { issuer, clock, down } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('stale')
    clock.now = START + HOUR - 1
    expect(await ask(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('stale')
    clock.now = START + HOUR
    expect(serve(issuer, key, clock)).toBe(false)
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test('the age counts from the fetch, not from a failure or an answer since', async () => {
    const { issuer, clock, answers, ended } = await setUp({ keySetMaxStaleSeconds: 900 })
    const key = await keyOf(issuer)
    answers.set('/jwks', status(500))
    let attempts = 1
    // Further apart than the longest back-off: each question starts an attempt.
    for (let seconds = 480; seconds < 900; seconds += 31) {
      clock.now = START + seconds * SECOND
      expect(await ask(issuer)).toBe('found')
      await ended(++attempts)
    }
    clock.now = START + 900 * SECOND - 1
    expect(serve(issuer, key, clock)).toBe('stale')
    clock.now = START + 900 * SECOND
    expect(serve(issuer, key, clock)).toBe(false)
  })

  test('a stale set serves at once while an attempt hangs', async () => {
    const { issuer, clock, answers, down, fetches } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    answers.set('/jwks', silence)
    clock.now += 2 * SECOND
    expect(askNow(issuer)).toBe('found')
    await vi.waitFor(() => expect(fetches()).toBe(3))
    expect(askNow(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('stale')
    expect(fetches()).toBe(3)
  })

  test('a failure of long ago is no outage of now: the next question waits for a fetch', async () => {
    const { issuer, clock, keys, down, ended } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 9 * MINUTE
    expect(askNow(issuer)).toBe('found')
    await ended(2)
    keys(successor)
    clock.now = START + 50 * MINUTE
    expect(serve(issuer, key, clock)).toBe(false)
    expect(await ask(issuer)).toBe('none')
  })

  test('it ends with the first good fetch', async () => {
    const { issuer, clock, keys, down } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 2 * HOUR
    expect(await ask(issuer)).toMatch('unavailable')
    keys(old)
    clock.now += 2 * SECOND
    expect(await ask(issuer)).toBe('found')
    expect(serve(issuer, key, clock)).toBe('fresh')
  })

  test.each([
    [0, [1, 2, 4, 8, 16, 20, 20]],
    [0.999999, [1.5, 3, 6, 12, 24, 30, 30]],
  ])('failed fetches back off from 1 s to 30 s; jitter of %d', async (random, delays) => {
    vi.spyOn(Math, 'random').mockReturnValue(random)
    const { issuer, clock, fetches, down } = await setUp()
    down()
    expect(await ask(issuer)).toBe(`unavailable ${Math.ceil(delays[0] as number)}`)
    for (const [index, delay] of delays.entries()) {
      clock.now += delay * SECOND - 2
      expect(await ask(issuer)).toBe('unavailable 1')
      expect(fetches()).toBe(index + 1)
      clock.now += 2
      expect(await ask(issuer)).toBe(`unavailable ${Math.ceil(delays[index + 1] ?? (delay as number))}`)
      expect(fetches()).toBe(index + 2)
    }
  })

  test('refreshes in the background back off too, and a good one ends it', async () => {
    const { issuer, clock, fetches, down, keys, ended } = await setUp()
    await ask(issuer)
    down()
    clock.now = START + 8 * MINUTE
    expect(askNow(issuer)).toBe('found')
    await ended(2)
    for (let times = 0; times < 5; times++) expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(2)
    clock.now += 2 * SECOND
    askNow(issuer)
    await ended(3)
    keys(old)
    clock.now += 3 * SECOND
    askNow(issuer)
    await ended(4)
    expect(issuer.generation).toBe(2)
    // The next failure is the first again: 1 s, not 4.
    down()
    clock.now += 10 * MINUTE
    await ask(issuer)
    await ended(5)
    clock.now += 1.5 * SECOND
    await ask(issuer)
    await ended(6)
  })

  test('ready() tries, tells what is missing, and is ready for good once a set was loaded', async () => {
    const { issuer, clock, url, down, keys, fetches } = await setUp()
    down()
    expect(await readiness(issuer)).toMatch(/^issuer http.*\/jwks is out of reach: /)
    expect(await readiness(issuer)).toContain(url)
    await expect(issuer.ready()).rejects.toMatchObject({ cause: { message: expect.stringContaining('out of reach') } })
    keys(old)
    expect(await readiness(issuer)).toContain('out of reach')
    clock.now += 2 * SECOND
    expect(await readiness(issuer)).toBe('ready')
    down()
    clock.now += 2 * HOUR
    expect(await readiness(issuer)).toBe('ready')
    expect(fetches()).toBe(2)
  })

  test('ready() tries again as soon as the back-off has ended', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, keys } = await setUp()
    down()
    expect(await readiness(issuer)).toContain('out of reach')
    keys(old)
    clock.now += SECOND - 1
    expect(await readiness(issuer)).toContain('out of reach')
    clock.now += 1
    expect(await readiness(issuer)).toBe('ready')
  })

  test('a set that serves in it is refreshed as soon as the back-off has ended', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, fetches, ended } = await setUp()
    await ask(issuer)
    down()
    clock.now = START + 9 * MINUTE
    askNow(issuer)
    await ended(2)
    clock.now += SECOND - 1
    askNow(issuer)
    await settled()
    expect(fetches()).toBe(2)
    clock.now += 1
    askNow(issuer)
    await ended(3)
  })

  test.each([
    [30 * SECOND - 1, 'stale'],
    [30 * SECOND, false],
  ])('%d ms after an attempt was permitted that nobody made, an old set is %s', async (later, served) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, ended } = await setUp()
    const key = await keyOf(issuer)
    down()
    clock.now = START + 570 * SECOND
    askNow(issuer)
    await ended(2)
    clock.now += SECOND + later
    expect(serve(issuer, key, clock)).toBe(served)
  })

  test('is what its answers give as the cause', async () => {
    const { issuer, clock, url, down } = await setUp()
    await ask(issuer)
    await ask(issuer, 'nobody')
    expect(await causeOf(issuer, 'nobody else')).toBe(`issuer ${url}: no fetch for an unknown key is permitted yet`)
    down()
    clock.now += 2 * HOUR
    expect(await causeOf(issuer)).toContain('/jwks is out of reach')
    issuer.close()
    expect(await causeOf(issuer)).toBe('the verifier is closed')
  })

  test('ready() joins a fetch under way', async () => {
    const { issuer, asked } = await setUp()
    const first = ask(issuer)
    expect(await readiness(issuer)).toBe('ready')
    expect(await first).toBe('found')
    expect(asked).toHaveLength(2)
  })
})

describe('an unknown kid', () => {
  test('is fetched at once: a rotation is noticed by its first token', async () => {
    const { issuer, keys, fetches } = await setUp()
    await ask(issuer)
    keys(old, successor)
    expect(await ask(issuer, 'new')).toBe('found')
    expect(fetches()).toBe(2)
  })

  test('is refused when a fetch begun after its arrival lacks it', async () => {
    const { issuer, fetches } = await setUp()
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(2)
  })

  test('is refused by the first load that it started itself', async () => {
    const { issuer, fetches } = await setUp()
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(1)
  })

  test('is fetched at most once in 5 seconds', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now += MINUTE
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(await ask(issuer, 'nobody')).toBe('unavailable 5')
    clock.now += 1.5 * SECOND
    expect(await ask(issuer, 'nobody')).toBe('unavailable 4')
    expect(fetches()).toBe(2)
    clock.now += 3.5 * SECOND
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(3)
  })

  test('waits for the next permitted fetch when it is within timeoutMs, and no longer', async () => {
    const { issuer, clock, keys, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    keys(old, successor)
    clock.now += 5 * SECOND - 2001
    expect(await ask(issuer, 'new')).toBe('unavailable 3')
    clock.now += 1901
    const waiting = ask(issuer, 'new')
    await settled()
    expect(fetches()).toBe(2)
    expect(await waiting).toBe('found')
    expect(fetches()).toBe(3)
  })

  test('all that wait share the next fetch', async () => {
    const { issuer, clock, keys, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    keys(old, successor)
    clock.now += 5 * SECOND - 100
    const answers = await Promise.all([
      ...Array.from({ length: 50 }, () => ask(issuer, 'new')),
      ...Array.from({ length: 50 }, (_, index) => ask(issuer, `nobody ${index}`)),
    ])
    expect(answers).toEqual([...Array(50).fill('found'), ...Array(50).fill('none')])
    expect(fetches()).toBe(3)
  })

  test('does not wait twice: after its own wait the next permitted fetch is too far', async () => {
    const { issuer, clock, answers } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    answers.set('/jwks', status(500))
    clock.now += 5 * SECOND - 100
    expect(await ask(issuer, 'nobody')).toBe('unavailable 5')
  })

  test('does not wait for a fetch that is permitted too late, counted from its arrival', async () => {
    const { issuer, clock, answers, fetches } = await setUp({ timeoutMs: 1500, keySetMaxStaleSeconds: 5 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 4 * SECOND
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    const waiting = ask(issuer, 'new')
    // The next fetch is permitted in 1 s: within the limit now, beyond it when what is under way has ended.
    await new Promise((resolve) => setTimeout(resolve, 700))
    release()
    expect(await waiting).toMatch('unavailable')
    expect(fetches()).toBe(3)
  })

  test('is not decided by a fetch for another cause that began while it waited for its own', async () => {
    const { issuer, clock, answers, keys, fetches } = await setUp({ keySetMaxStaleSeconds: 5 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 4 * SECOND - 1
    const first = ask(issuer, 'new')
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 1
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    const second = ask(issuer, 'new')
    await new Promise((resolve) => setTimeout(resolve, 1200))
    keys(old, successor)
    release()
    expect(await Promise.all([first, second])).toEqual(['found', 'found'])
    expect(fetches()).toBe(4)
  })

  test('does not try again when its own fetch fails, even if there were time', async () => {
    const { issuer, down, fetches } = await setUp({ timeoutMs: 8000 })
    await ask(issuer)
    down()
    expect(await ask(issuer, 'new')).toBe('unavailable 5')
    expect(fetches()).toBe(2)
  })

  test('fetches for other causes do not count', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now += 8 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(await ask(issuer, 'nobody')).toBe('none')
    expect(fetches()).toBe(3)
  })

  test('is not refused for a fetch that began before it came', async () => {
    const { issuer, clock, answers, keys, fetches } = await setUp()
    await ask(issuer)
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 8 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(2))
    const found = ask(issuer, 'new')
    const none = ask(issuer, 'nobody')
    await settled()
    expect(fetches()).toBe(2)
    keys(old, successor)
    release()
    expect(await Promise.all([found, none])).toEqual(['found', 'none'])
    expect(fetches()).toBe(3)
  })

  test('is found by a fetch that began before it came', async () => {
    const { issuer, clock, answers, fetches } = await setUp()
    await ask(issuer)
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old, successor] })(response, request)
    })
    clock.now += 8 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(2))
    const found = ask(issuer, 'new')
    release()
    expect(await found).toBe('found')
    expect(fetches()).toBe(2)
  })

  test('is unavailable, not refused, when its fetch fails; known keys go on', async () => {
    const { issuer, clock, down, keys, fetches } = await setUp()
    await ask(issuer)
    down()
    expect(await ask(issuer, 'new')).toBe('unavailable 5')
    expect(askNow(issuer)).toBe('found')
    keys(old, successor)
    clock.now += 5 * SECOND
    expect(await ask(issuer, 'new')).toBe('found')
    expect(fetches()).toBe(3)
  })

  test('does not fetch within a back-off that another fetch began', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, keys, fetches, ended } = await setUp({ timeoutMs: 900 })
    await ask(issuer)
    down()
    clock.now = START + 8 * MINUTE
    askNow(issuer)
    await ended(2)
    keys(old, successor)
    expect(await ask(issuer, 'new')).toBe('unavailable 1')
    expect(fetches()).toBe(2)
    clock.now += SECOND
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('does not fetch when another fetch failed while it waited', async () => {
    const { issuer, clock, down, fetches } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    clock.now = START + 8 * MINUTE - 1
    await ask(issuer, 'nobody')
    const generation = issuer.generation
    clock.now = START + 16 * MINUTE - 2 - 100
    await ask(issuer, 'nobody')
    expect(issuer.generation).toBe(generation + 1)
    clock.now += 5 * SECOND - 200
    const waiting = ask(issuer, 'new')
    down()
    clock.now += 9 * MINUTE
    askNow(issuer)
    expect(await waiting).toMatch('unavailable')
    expect(fetches()).toBe(4)
  })

  /** A token of an unknown key waits for the next permitted fetch, 200 ms away, in an outage that has begun. */
  async function waitInOutage() {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const world = await setUp()
    const { issuer, clock, down, ended } = world
    await ask(issuer)
    down()
    clock.now = START + 8 * MINUTE
    askNow(issuer)
    await ended(2)
    clock.now += SECOND - 200
    const waiting = ask(issuer, 'new')
    await turn()
    return { ...world, waiting }
  }

  test('does not wait for a second time when another fetch failed while it waited', async () => {
    const { issuer, clock, keys, fetches, ended, waiting } = await waitInOutage()
    clock.now += 200
    askNow(issuer)
    await ended(3)
    keys(old, successor)
    expect(await waiting).toBe('unavailable 2')
    expect(fetches()).toBe(3)
  })

  test('is fetched still when another fetch ended the outage while it waited', async () => {
    const { issuer, clock, keys, fetches, ended, waiting } = await waitInOutage()
    keys(old)
    clock.now += 200
    askNow(issuer)
    await ended(3)
    keys(old, successor)
    expect(await waiting).toBe('found')
    expect(fetches()).toBe(4)
  })

  test('at most 1000 wait; known keys are not in their way', async () => {
    const { issuer, answers, fetches } = await setUp()
    await ask(issuer)
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    const waiting = Array.from({ length: 1000 }, (_, index) => ask(issuer, `nobody ${index}`))
    await vi.waitFor(() => expect(fetches()).toBe(2))
    expect(await ask(issuer, 'one more')).toBe('unavailable 5')
    expect(askNow(issuer)).toBe('found')
    release()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['none']))
    expect(fetches()).toBe(2)
    const { length } = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer, 'nobody')))
    expect(length).toBe(1000)
  })

  test('places are free again after a wait', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    for (let round = 0; round < 3; round++) {
      clock.now += 5 * SECOND
      const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer, 'nobody')))
      expect(new Set(answers)).toEqual(new Set(['none']))
    }
    expect(fetches()).toBe(4)
  })

  test('in an outage it is unavailable, and starts no more fetches than anybody else', async () => {
    const { issuer, clock, down, fetches } = await setUp({ timeoutMs: 900 })
    await ask(issuer)
    down()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    for (let times = 0; times < 20; times++) expect(await ask(issuer, `nobody ${times}`)).toMatch('unavailable')
    expect(fetches()).toBe(2)
  })

  test('a known kid that does not fit the algorithm, and a token without kid, start no fetch', async () => {
    const { issuer, keys, fetches } = await setUp()
    keys(old, successor)
    await ask(issuer)
    expect(issuer.keysFor('RS256', 'old')).toEqual([])
    expect(issuer.keysFor('ES256', undefined)).toEqual([])
    await settled()
    expect(fetches()).toBe(1)
  })

  test.each(['__proto__', 'constructor', '', 'x'.repeat(8000)])(
    'of hostile text is one like any other',
    async (kid) => {
      const { issuer } = await setUp()
      await ask(issuer)
      expect(await ask(issuer, kid)).toBe('none')
    },
  )
})

describe('a clock that jumps', () => {
  test('set back it neither ends a set nor makes it young again', async () => {
    const steady = vi.spyOn(performance, 'now')
    const { issuer, clock, fetches } = await setUp()
    steady.mockReturnValue(5000)
    const key = await keyOf(issuer)
    clock.now -= HOUR
    expect(serve(issuer, key, clock)).toBe('fresh')
    expect(askNow(issuer)).toBe('found')
    steady.mockReturnValue(5000 + 10 * MINUTE)
    expect(serve(issuer, key, clock)).toBe(false)
    expect(fetches()).toBe(1)
  })

  test('set forward it asks for a new set', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now += 24 * HOUR
    expect(serve(issuer, key, clock)).toBe(false)
    expect(await ask(issuer)).toBe('found')
    expect(fetches()).toBe(2)
  })

  test('set back it keeps nobody from joining a fetch under way', async () => {
    const { issuer, clock, answers, down, fetches } = await setUp()
    down()
    expect(await ask(issuer)).toMatch('unavailable')
    let release = () => {}
    answers.set('/jwks', (response, request) => {
      release = () => json({ keys: [old] })(response, request)
    })
    clock.now += 2 * SECOND
    const first = ask(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(2))
    clock.now -= 2 * SECOND
    const second = ask(issuer)
    release()
    expect(await Promise.all([first, second])).toEqual(['found', 'found'])
  })

  test('set back it does not prolong a back-off', async () => {
    const { issuer, clock, down, keys } = await setUp()
    down()
    expect(await ask(issuer)).toMatch('unavailable')
    keys(old)
    clock.now -= HOUR
    expect(await ask(issuer)).toBe('found')
  })

  test('set back after an outage it does not bring the back-off back', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { issuer, clock, down, keys } = await setUp()
    down()
    for (const delay of [0, 1, 2, 4, 8, 16]) {
      clock.now += delay * SECOND
      expect(await ask(issuer)).toMatch('unavailable')
    }
    keys(old)
    clock.now += 20 * SECOND
    expect(await ask(issuer)).toBe('found')
    clock.now -= 15 * SECOND
    expect(await ask(issuer, 'nobody')).toBe('none')
  })

  test('set back it does not prolong the gap between fetches for unknown kids', async () => {
    const { issuer, clock, keys } = await setUp()
    await ask(issuer)
    expect(await ask(issuer, 'nobody')).toBe('none')
    keys(old, successor)
    clock.now -= HOUR
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('that throws while a request waits for an unknown kid leaves nothing rejected behind', async () => {
    const clock = { now: START, broken: false }
    const { issuer, answers, keys, fetches } = await setUp({
      timeoutMs: 2000,
      clock: () => {
        if (clock.broken) throw new Error('broken')
        return clock.now
      },
    })
    await ask(issuer)
    await ask(issuer, 'nobody')
    // It waits 100 ms for the gap to end, and then for another fetch, whose failure the clock cannot date.
    clock.now += 4900
    const waiting = issuer.keysFor('ES256', 'new')
    let fail = () => {}
    answers.set('/jwks', (response) => {
      fail = () => void response.destroy()
    })
    clock.now += 9 * MINUTE
    askNow(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(3))
    await new Promise((resolve) => setTimeout(resolve, 200))
    clock.broken = true
    fail()
    await expect(waiting).rejects.toThrow('the clock option threw')

    clock.broken = false
    keys(old)
    askNow(issuer)
    await vi.waitFor(() => expect(issuer.generation).toBe(3))
    expect(await ask(issuer, 'nobody')).toBe('none')
  })

  test('set back while a request waits, it waits no longer', async () => {
    const { issuer, clock, keys } = await setUp({ timeoutMs: 2000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 5 * SECOND - 200
    const waiting = ask(issuer, 'new')
    keys(old, successor)
    clock.now -= HOUR
    expect(await waiting).toBe('found')
  })
})

describe('a fetch that the application brings', () => {
  const never = new Promise<never>(() => {})
  const body = (read: () => unknown, cancel: () => unknown = async () => {}) => ({
    status: 200,
    redirected: false,
    body: { getReader: () => ({ read, cancel }) },
  })
  const nonsense: [what: string, fetch: () => unknown][] = [
    [
      'throws synchronously',
      () => {
        throw new Error('broken')
      },
    ],
    ['rejects with undefined', () => Promise.reject(undefined)],
    ['rejects with a text', () => Promise.reject('broken')],
    ['rejects with an object without prototype', () => Promise.reject(Object.create(null))],
    ['never settles', () => never],
    ['returns undefined', () => undefined],
    ['resolves with null', async () => null],
    ['resolves with a number', async () => 200],
    ['resolves with an empty object', async () => ({})],
    ['resolves with a status and nothing else', async () => ({ status: 200 })],
    ['resolves with a status of text', async () => ({ status: '200', body: null })],
    ['resolves with an object as status', async () => ({ status: Object.create(null), body: null })],
    ['resolves without a body', async () => new Response(null)],
    ['resolves with a body that is no stream', async () => ({ status: 200, body: {} })],
    ['resolves with a body of text', async () => ({ status: 200, body: '{"keys":[]}' })],
    [
      'resolves with a status that throws',
      async () => ({
        get status() {
          throw new Error('broken')
        },
      }),
    ],
    [
      'resolves with a body that is being read',
      async () => {
        const response = Response.json({ keys: [] })
        response.body?.getReader()
        return response
      },
    ],
    ['reads null', async () => body(async () => null)],
    ['reads texts without end', async () => body(async () => ({ done: false, value: 'text' }))],
    ['reads undefined without end', async () => body(async () => ({ done: false, value: undefined }))],
    ['reads numbers without end', async () => body(async () => ({ done: false, value: 7 }))],
    ['reads bytes without end', async () => body(async () => ({ done: false, value: new Uint8Array(65_536) }))],
    ['never reads', async () => body(() => never)],
    [
      'never reads, and rejects to cancel',
      async () =>
        body(
          () => never,
          () => Promise.reject(new Error('no')),
        ),
    ],
    [
      'never reads, and throws on cancel',
      async () =>
        body(
          () => never,
          () => {
            throw new Error('no')
          },
        ),
    ],
    ['rejects while reading', async () => body(() => Promise.reject(new Error('broken')))],
    ['answers 404 with a body that cannot be cancelled', async () => ({ status: 404, body: {} })],
    [
      'answers 500 with a body whose cancel never settles',
      async () => ({ status: 500, body: { cancel: () => never } }),
    ],
  ]

  test.each(nonsense)('%s: unavailable within timeoutMs, with an Error as the cause', async (_, fetch) => {
    const { issuer } = setUpFetch(fetch)
    const error = await Promise.resolve()
      .then(() => issuer.keysFor('ES256', 'old'))
      .catch((error: unknown) => error)
    expect(error).toBeInstanceOf(UnavailableError)
    expect((error as Error).cause).toBeInstanceOf(Error)
    expect(await readiness(issuer)).toMatch(/^issuer https:\/\/issuer\.example: https:\/\/issuer\.example\/.well-known/)
  })

  test.each(['metadata', 'key set'])(
    'followed a redirect to the %s, against its orders: unavailable',
    async (followed) => {
      const { issuer } = setUpFetch(async (url) => {
        const what = url.pathname === '/jwks' ? 'key set' : 'metadata'
        const metadata = { issuer: 'https://issuer.example', jwks_uri: 'https://issuer.example/jwks' }
        const response = Response.json(what === 'key set' ? { keys: [old] } : metadata)
        return Object.defineProperty(response, 'redirected', { value: what === followed })
      })
      expect(await ask(issuer)).toMatch('unavailable')
      expect(await readiness(issuer)).toContain('answered with a redirect')
    },
  )

  test('goes on to OpenID metadata past a 404 whose body cannot be cancelled', async () => {
    const { issuer } = setUpFetch(async (url) => {
      if (url.pathname === '/.well-known/oauth-authorization-server') {
        return { status: 404, body: { cancel: () => Promise.reject(new Error('no')) } }
      }
      const isMetadata = url.pathname === '/.well-known/openid-configuration'
      return Response.json(
        isMetadata ? { issuer: 'https://issuer.example', jwks_uri: 'https://issuer.example/jwks' } : { keys: [old] },
      )
    })
    expect(await ask(issuer)).toBe('found')
  })

  test('settles late and ignores its signal: what it brings is dropped and its body given up', async () => {
    let settle: (response: Response) => void = () => {}
    const { issuer } = setUpFetch(() => new Promise((resolve) => (settle = resolve)))
    expect(await ask(issuer)).toMatch('unavailable')
    let cancelled = false
    settle(
      new Response(
        new ReadableStream({
          cancel() {
            cancelled = true
          },
        }),
      ),
    )
    await settled()
    expect(cancelled).toBe(true)
    expect(issuer.generation).toBe(0)
  })

  test('rejects late: nothing is left unhandled', async () => {
    let fail: (error: Error) => void = () => {}
    const { issuer } = setUpFetch(() => new Promise((_, reject) => (fail = reject)))
    expect(await ask(issuer)).toMatch('unavailable')
    fail(new Error('late'))
    await settled()
    expect(issuer.generation).toBe(0)
  })

  test('has a body that goes on past the deadline: it is given up', async () => {
    let cancelled = false
    const { issuer } = setUpFetch(
      async () =>
        new Response(
          new ReadableStream({
            cancel() {
              cancelled = true
            },
          }),
        ),
    )
    expect(await ask(issuer)).toMatch('unavailable')
    await settled()
    expect(cancelled).toBe(true)
  })

  test('gets no redirects to follow, the accepted types, and a signal that aborts with the deadline', async () => {
    const calls: RequestInit[] = []
    const { issuer } = setUpFetch((_, init) => {
      calls.push(init)
      return never
    })
    expect(await ask(issuer)).toMatch('unavailable')
    expect(calls).toEqual([
      expect.objectContaining({
        redirect: 'manual',
        headers: { accept: expect.stringContaining('application/json') },
      }),
    ])
    expect(calls[0]?.signal?.aborted).toBe(true)
  })

  test('leaves no timer and no listener behind, however it ends', async () => {
    const timers = new Set<unknown>()
    const { setTimeout: set, clearTimeout: clear } = globalThis
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((...args: Parameters<typeof set>) => {
      const timer = set(...args)
      timers.add(timer)
      return timer
    }) as typeof set)
    vi.spyOn(globalThis, 'clearTimeout').mockImplementation((timer) => {
      timers.delete(timer)
      clear(timer)
    })
    const signals = new Set<unknown>()
    let left: unknown[][] = []
    const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype
    vi.spyOn(EventTarget.prototype, 'addEventListener').mockImplementation(function (this: EventTarget, ...args) {
      if (this instanceof AbortSignal) signals.add(this)
      if (this instanceof AbortSignal) left.push([this, args[0], args[1]])
      add.apply(this, args)
    })
    vi.spyOn(EventTarget.prototype, 'removeEventListener').mockImplementation(function (this: EventTarget, ...args) {
      left = left.filter(([signal, type, listener]) => signal !== this || type !== args[0] || listener !== args[1])
      remove.apply(this, args)
    })

    const answers: (() => unknown)[] = [
      async () => Response.json({ issuer: 'https://issuer.example', jwks_uri: 'https://issuer.example/jwks' }),
      async () => Response.json({ keys: [old] }),
      async () => Promise.reject(new Error('broken')),
      async () => new Response('text'),
      async () => null,
      async () => body(() => Promise.reject(new Error('broken'))),
    ]
    let calls = 0
    const { issuer, clock } = setUpFetch(() => answers[calls++ % answers.length]?.(), { timeoutMs: 1000 })
    for (let round = 0; round < 20; round++) {
      await ask(issuer)
      await ask(issuer, 'nobody')
      clock.now += 15 * MINUTE
    }
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 5 * SECOND - 50
    await ask(issuer, 'nobody')
    expect(calls).toBeGreaterThan(20)
    expect(signals.size).toBeGreaterThan(20)
    expect(left).toEqual([])
    expect(timers.size).toBe(0)
  })
})

describe('close', () => {
  test('ends a fetch under way and everybody that waits for it', async () => {
    const { issuer, answers, fetches } = await setUp({ timeoutMs: 60_000 })
    let hungUp: Promise<void> | undefined
    answers.set('/jwks', (response) => {
      hungUp = new Promise((resolve) => response.once('close', resolve))
    })
    const waiting = ask(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(1))
    issuer.close()
    expect(await waiting).toMatch('unavailable')
    await hungUp
    expect(await ask(issuer)).toMatch('unavailable')
    expect(await readiness(issuer)).toContain('closed')
    expect(fetches()).toBe(1)
  })

  test('is the reason that ready() gives for a fetch under way', async () => {
    const { issuer, answers, url, fetches } = await setUp({ timeoutMs: 60_000 })
    answers.set('/jwks', silence)
    const waiting = readiness(issuer)
    await vi.waitFor(() => expect(fetches()).toBe(1))
    issuer.close()
    expect(await waiting).toBe(`issuer ${url}: ${url}/jwks: the verifier is closed`)
  })

  test('ends the wait of an unknown kid', async () => {
    const { issuer, clock, fetches } = await setUp({ timeoutMs: 60_000 })
    await ask(issuer)
    await ask(issuer, 'nobody')
    clock.now += 100
    const waiting = ask(issuer, 'nobody')
    await settled()
    issuer.close()
    const patience = new Promise((resolve) => setTimeout(resolve, 2500, 'still waiting').unref())
    expect(await Promise.race([waiting, patience])).toMatch('unavailable')
    expect(fetches()).toBe(2)
  })

  test('is final also for keys that are known, and starts no refresh', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    issuer.close()
    issuer.close()
    expect(await ask(issuer)).toMatch('unavailable')
    clock.now += 9 * MINUTE
    serve(issuer, key, clock)
    await settled()
    expect(fetches()).toBe(1)
  })
})

test('a static key set is never fetched, never grows old, and knows no unknown kid', async () => {
  const fetch = vi.fn()
  const { issuer, clock } = setUpFetch(fetch, { issuer: 'https://issuer.example', jwks: { keys: [old, third] } })
  const key = await keyOf(issuer)
  clock.now += 1000 * HOUR
  expect(serve(issuer, key, clock)).toBe('fresh')
  expect(askNow(issuer, 'third')).toBe('found')
  expect(askNow(issuer, 'nobody')).toBe('none')
  expect(await readiness(issuer)).toBe('ready')
  issuer.close()
  expect(fetch).not.toHaveBeenCalled()
})

test('issuers are apart: the outage, the keys and the flood of one are not those of another', async () => {
  const [one, other] = [await setUp(), await setUp()]
  other.keys(successor)
  one.down()
  expect(await ask(one.issuer)).toMatch('unavailable')
  expect(await ask(other.issuer, 'new')).toBe('found')
  one.keys(old)
  one.clock.now += 2 * SECOND
  expect(await ask(one.issuer)).toBe('found')
  expect(await ask(one.issuer, 'new')).toBe('none')
  expect(await ask(other.issuer, 'old')).toBe('none')
  expect(await ask(other.issuer, 'old')).toMatch('unavailable')
  expect(askNow(one.issuer)).toBe('found')
})
