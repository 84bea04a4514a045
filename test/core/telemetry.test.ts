import { spawn } from 'node:child_process'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import { InsufficientScopeError, MissingCredentialsError } from '../../src/core/errors.js'
import {
  type DecisionEvent,
  type KeySetEvent,
  publishKeySet,
  publishRefusal,
  publishStore,
  type StoreEvent,
} from '../../src/core/telemetry.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outputOf } from '../support/child-output.js'
import { outcomeOf } from '../support/outcome.js'
import { createDeferred, createOwnStore, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

function listen<T>(name: string): T[] {
  const events: T[] = []
  const listener = (event: unknown) => void events.push(event as T)
  subscribe(name, listener)
  endings.push(() => unsubscribe(name, listener))
  return events
}

function verifierOf(options: VerifierOptions) {
  const verifier = createVerifier({ issuer: false, keys: false, timeoutMs: 50, ...options })
  endings.push(() => verifier.close())
  return verifier
}

describe('vantage-auth:decision', () => {
  test('tells of each decision once: outcome, reason, kind, issuer or key id, cached', async () => {
    const events = listen<DecisionEvent>('vantage-auth:decision')
    const issuer = createTestIssuer()
    const key = createTestKey()
    const unknown = createTestKey()
    const verifier = verifierOf({ ...issuer.options, keys: createOwnStore(key) })
    const bad = issuer.mint({ aud: 'other' })
    const good = issuer.mint()
    const foreign = issuer.mint({ iss: 'https://evil.example' })
    const twice = [key.key, unknown.key, good, bad, foreign].flatMap((credential) => [credential, credential])
    for (const credential of [...twice, 'x', '']) await outcomeOf(verifier, credential)
    expect(() => verifier.authenticate({ authorization: undefined })).toThrow()
    expect(() => verifier.authenticate({ authorization: ['a', 'b'] })).toThrow()
    const nothing = { reason: undefined, rule: undefined, kind: undefined, issuer: undefined, keyId: undefined }
    const plain = { ...nothing, decidedBy: 'verifier', cached: false, stale: false, durationMs: expect.any(Number) }
    const ofKey = { ...plain, kind: 'api_key', keyId: key.id }
    const ofUnknown = { ...plain, outcome: 'token_invalid', reason: 'unknown', kind: 'api_key', keyId: unknown.id }
    const ofToken = { ...plain, kind: 'access_token', issuer: issuer.issuer }
    expect(events).toEqual([
      { ...ofKey, outcome: 'accepted' },
      { ...ofKey, outcome: 'accepted', cached: true },
      ofUnknown,
      { ...ofUnknown, cached: true },
      { ...ofToken, outcome: 'accepted' },
      { ...ofToken, outcome: 'accepted', cached: true },
      { ...ofToken, outcome: 'token_invalid', reason: 'audience' },
      { ...ofToken, outcome: 'token_invalid', reason: 'audience', cached: true },
      { ...plain, outcome: 'token_invalid', reason: 'issuer', kind: 'access_token' },
      { ...plain, outcome: 'token_invalid', reason: 'issuer', kind: 'access_token', cached: true },
      { ...plain, outcome: 'token_invalid', reason: 'malformed', kind: 'access_token' },
      { ...plain, outcome: 'token_invalid', reason: 'malformed' },
      { ...plain, outcome: 'credentials_missing', reason: 'missing' },
      { ...plain, outcome: 'request_invalid', reason: 'repeated' },
    ])
  })

  test('tells of outages, of what is stale, and of the scope that a guard misses', async () => {
    const events = listen<DecisionEvent>('vantage-auth:decision')
    const [key, other] = [createTestKey(), createTestKey()]
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store, storeMaxStaleSeconds: 60 })
    await outcomeOf(verifier, key.key)
    store.feed.state = 'down'
    store.onFind = () => Promise.reject(new Error('out of reach'))
    publishRefusal(
      new InsufficientScopeError('vantage', ['jobs:write']),
      await verifier.authenticate({ authorization: `Bearer ${key.key}` }),
      'guard',
    )
    await outcomeOf(verifier, other.key)
    expect(events).toMatchObject([
      { outcome: 'accepted', decidedBy: 'verifier', keyId: key.id, cached: false, stale: false },
      { outcome: 'accepted', decidedBy: 'verifier', keyId: key.id, cached: true, stale: true },
      {
        outcome: 'scope_insufficient',
        reason: 'scope',
        decidedBy: 'guard',
        keyId: key.id,
        cached: false,
        stale: false,
        durationMs: 0,
      },
      {
        outcome: 'unavailable',
        reason: 'unavailable',
        decidedBy: 'verifier',
        keyId: other.id,
        cached: false,
        stale: false,
      },
    ])
  })

  test('tells of a request that is none', () => {
    const events = listen<DecisionEvent>('vantage-auth:decision')
    expect(() => verifierOf({}).authenticate(undefined as never)).toThrow(MissingCredentialsError)
    expect(events).toMatchObject([{ outcome: 'credentials_missing' }])
  })

  test('names the issuer of a token whose scope a guard misses', async () => {
    const events = listen<DecisionEvent>('vantage-auth:decision')
    const issuer = createTestIssuer()
    const verifier = verifierOf(issuer.options)
    publishRefusal(
      new InsufficientScopeError('vantage', ['jobs:write']),
      await verifier.authenticate({ authorization: `Bearer ${issuer.mint()}` }),
      'guard',
    )
    expect(events[1]).toMatchObject({ outcome: 'scope_insufficient', kind: 'access_token', issuer: issuer.issuer })
  })

  test('tells of a stale key set', async () => {
    const events = listen<DecisionEvent>('vantage-auth:decision')
    let now = Date.now()
    const issuer = createTestIssuer({ issuer: 'https://issuer.example', clock: () => now })
    let down = false
    const verifier = verifierOf({
      issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
      clock: () => now,
      fetch: async () => {
        if (down) throw new Error('out of reach')
        return Response.json(issuer.jwks)
      },
    })
    const token = issuer.mint()
    await outcomeOf(verifier, token)
    now += 601_000
    down = true
    await outcomeOf(verifier, issuer.mint())
    await outcomeOf(verifier, token)
    await outcomeOf(verifier, token)
    expect(events.map(({ cached, stale }) => [cached, stale])).toEqual([
      [false, false],
      [false, true],
      [false, true],
      [true, true],
    ])
  })

  test('carries no text of a credential', async () => {
    const events = listen<DecisionEvent>('vantage-auth:decision')
    const issuer = createTestIssuer()
    const key = createTestKey()
    const verifier = verifierOf({ ...issuer.options, keys: createOwnStore(key) })
    const credentials = [
      key.key,
      issuer.mint({ sub: 'secret-subject' }),
      `${issuer.mint()}x`,
      'secret',
      'vak_secret',
      'vak_live_secret',
    ]
    for (const credential of credentials) await outcomeOf(verifier, credential)
    const text = JSON.stringify(events)
    for (const credential of credentials) expect(text).not.toContain(credential.slice(-20))
    expect(text).not.toContain('secret')
  })
})

describe('vantage-auth:store', () => {
  test('tells of changes and how long they travelled, and of the state of the feed', async () => {
    const events = listen<StoreEvent>('vantage-auth:store')
    const key = createTestKey()
    const store = createOwnStore(key)
    const verifier = verifierOf({ keys: store })
    await outcomeOf(verifier, key.key)
    store.announce({ id: key.id, at: Date.now() - 5000 })
    store.announce({ id: key.id, at: Date.now() + 60_000 })
    store.announce({ all: true })
    store.feed.state = 'down'
    await outcomeOf(verifier, key.key)
    expect(events).toEqual([
      { event: 'feed', state: 'live' },
      { event: 'change', keyId: key.id, lagMs: expect.any(Number) },
      { event: 'change', keyId: key.id, lagMs: 0 },
      { event: 'change', keyId: undefined, lagMs: undefined },
      { event: 'feed', state: 'down' },
    ])
    expect(events[1]?.lagMs).toBeGreaterThanOrEqual(5000)
  })

  test('tells of look-ups that failed and of usage', async () => {
    const events = listen<StoreEvent>('vantage-auth:store')
    const key = createTestKey()
    const store = createOwnStore(key)
    const failure = new Error('out of reach')
    const verifier = verifierOf({ keys: store })
    await outcomeOf(verifier, key.key)
    await outcomeOf(verifier, key.key)
    store.feed.state = 'down'
    store.onFind = () => Promise.reject(failure)
    await outcomeOf(verifier, key.key)
    await verifier.close()
    expect(events.filter(({ event }) => event !== 'feed')).toEqual([
      { event: 'look_up_failed', error: failure },
      { event: 'usage_flushed', count: 2 },
    ])
  })
})

test('vantage-auth:key-set tells of each attempt, and of the set that is in use', async () => {
  const events = listen<KeySetEvent>('vantage-auth:key-set')
  const now = Date.now()
  const issuer = createTestIssuer({ issuer: 'https://issuer.example' })
  let answer: () => Promise<Response> = async () => new Response('', { status: 500 })
  let later = 0
  const verifier = verifierOf({
    issuer: [{ issuer: issuer.issuer, jwksUri: 'https://issuer.example/jwks' }],
    clock: () => now + later,
    fetch: () => answer(),
  })
  await expect(verifier.ready()).rejects.toThrow('500')
  answer = async () => Response.json(issuer.jwks)
  later = 60_000
  const before = performance.now()
  await verifier.ready()
  expect(events[1]?.durationMs).toBeLessThanOrEqual(performance.now() - before)
  expect(events).toEqual([
    {
      issuer: issuer.issuer,
      outcome: 'failed',
      keys: 0,
      fetchedAt: undefined,
      error: expect.any(Error),
      durationMs: expect.any(Number),
    },
    {
      issuer: issuer.issuer,
      outcome: 'loaded',
      keys: 1,
      fetchedAt: now + 60_000,
      error: undefined,
      durationMs: expect.any(Number),
    },
  ])
})

describe('without a subscriber', () => {
  test('nothing is computed', () => {
    const compute = () => {
      throw new Error('computed')
    }
    expect(channel('vantage-auth:store').hasSubscribers).toBe(false)
    publishStore(compute)
    publishKeySet(compute)
    const auth = {
      get kind(): 'api_key' {
        throw new Error('computed')
      },
    }
    publishRefusal(new InsufficientScopeError('vantage', ['jobs:write']), auth as never, 'guard')
  })

  test('a cached decision is the plain value, and a new one a plain promise', async () => {
    const key = createTestKey()
    const store = createOwnStore(key)
    const answer = createDeferred<unknown>()
    store.onFind = () => answer.promise
    const verifier = verifierOf({ keys: store })
    const request = { authorization: `Bearer ${key.key}` }
    const decided = verifier.authenticate(request)
    expect(decided).toBeInstanceOf(Promise)
    answer.resolve(key.stored)
    expect(await decided).toBe(verifier.authenticate(request))
  })
})

/** Runs a program on the source and tells what it wrote. */
async function run(program: string, env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    cwd: new URL('../..', import.meta.url),
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  })
  return outputOf(child)
}

describe('a process', () => {
  test('under NODE_DEBUG=vantage-auth prints one line per refusal and no credential', async () => {
    const issuer = createTestIssuer()
    const [good, unknown] = [createTestKey(), createTestKey()]
    const expired = issuer.mint({ exp: 1 })
    const program = `
      import { createVerifier } from './src/verifier/verifier.js'
      import { InsufficientScopeError } from './src/core/errors.js'
      import { publishRefusal } from './src/core/telemetry.js'
      const verifier = createVerifier({
        issuer: ${JSON.stringify(issuer.issuer)},
        audience: 'https://api.vantage.omnivector.solutions',
        jwks: ${JSON.stringify(issuer.jwks)},
        keys: { find: async (id) => (id === ${JSON.stringify(good.id)} ? ${JSON.stringify(good.stored)} : undefined) },
      })
      const requests = ${JSON.stringify([good.key, unknown.key, expired, 'not-a-token\u001b[2J', ''])}
      for (const credential of requests) {
        try {
          publishRefusal(new InsufficientScopeError('vantage', ['jobs:write']), await verifier.authenticate({ authorization: 'Bearer ' + credential }), 'guard')
        } catch {}
      }
      try { verifier.authenticate({ authorization: undefined }) } catch {}
      await verifier.close()
      try { verifier.authenticate({ authorization: 'Bearer x' }) } catch {}
    `
    const { code, stdout, stderr } = await run(program, { NODE_DEBUG: 'vantage-auth' })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual(
      [
        `ERR_VANTAGE_SCOPE_INSUFFICIENT key ${good.id}`,
        `ERR_VANTAGE_TOKEN_INVALID unknown key ${unknown.id}`,
        `ERR_VANTAGE_TOKEN_INVALID expired issuer ${issuer.issuer}`,
        'ERR_VANTAGE_TOKEN_INVALID malformed access_token',
        'ERR_VANTAGE_TOKEN_INVALID malformed',
        'ERR_VANTAGE_CREDENTIALS_MISSING',
        'ERR_VANTAGE_UNAVAILABLE access_token: the verifier is closed',
      ].map((line) => expect.stringMatching(new RegExp(`^VANTAGE-AUTH \\d+: ${line.replace(/[.()]/g, '\\$&')}$`))),
    )
    for (const credential of [good.key, unknown.key, expired]) expect(stderr).not.toContain(credential.slice(-20))
  }, 40_000)

  test('prints nothing without it', async () => {
    const program = `
      import { createVerifier } from './src/verifier/verifier.js'
      const verifier = createVerifier({ keys: false })
      try { verifier.authenticate({ authorization: 'Bearer x' }) } catch {}
    `
    expect(await run(program, { NODE_DEBUG: '' })).toEqual({ code: 0, stdout: '', stderr: '' })
  }, 40_000)

  test('decides though its subscribers throw; what they throw is an uncaught exception', async () => {
    const key = createTestKey()
    const program = `
      import { subscribe } from 'node:diagnostics_channel'
      import { createVerifier } from './src/verifier/verifier.js'
      let uncaught = 0
      process.on('uncaughtException', () => uncaught++)
      for (const name of ['decision', 'store', 'key-set']) {
        subscribe('vantage-auth:' + name, () => { throw new Error('broken') })
      }
      const verifier = createVerifier({
        issuer: [{ issuer: 'https://issuer.example', jwksUri: 'https://issuer.example/jwks' }],
        fetch: async () => Response.json({ keys: [] }),
        keys: { find: async () => (${JSON.stringify(key.stored)}), addUsage: async () => {} },
      })
      await verifier.ready().catch((error) => console.log(error.message))
      for (let i = 0; i < 2; i++) {
        const auth = await verifier.authenticate({ authorization: 'Bearer ' + ${JSON.stringify(key.key)} })
        console.log(auth.subject)
      }
      try { verifier.authenticate({ authorization: 'Bearer' }) } catch (error) { console.log(error.reason) }
      await verifier.close()
      setImmediate(() => console.log(uncaught > 3))
    `
    const { code, stdout, stderr } = await run(program, { VANTAGE_OUTAGE_NOTICES: 'false' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n').slice(-4)).toEqual(['user_1', 'user_1', 'malformed', 'true'])
  }, 40_000)
})

test('a memory store is heard at once', async () => {
  const events = listen<StoreEvent>('vantage-auth:store')
  const store = memoryKeyStore()
  const key = createTestKey()
  await store.insert(key.stored)
  const verifier = verifierOf({ keys: store })
  await outcomeOf(verifier, key.key)
  await store.update(key.stored, { ...key.stored, revokedAt: 1 })
  expect(events).toMatchObject([
    { event: 'feed', state: 'live' },
    { event: 'change', keyId: key.id },
  ])
})
