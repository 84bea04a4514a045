import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import { createLossNotices } from '../../src/receiver/notices.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import {
  CLIENT,
  createProvider,
  createWorld,
  PROVIDER,
  postEvent,
  postForm,
  postRevocation,
  type World,
} from '../support/providers.js'

let world: World
afterEach(() => world.close())

const UNAVAILABLE =
  '{"error":"temporarily_unavailable","error_description":"The credentials cannot be verified at the moment"}'

function all(): ReturnType<typeof postForm>[] {
  const { provider } = world
  return [
    postForm(provider.logoutToken()),
    postEvent(provider.securityEvent()),
    postRevocation(provider.revocationToken()),
  ]
}

describe('an outage is 503 with Retry-After, for every kind', () => {
  async function expectOutage(): Promise<void> {
    for (const request of all()) {
      const { status, headers, body } = await world.receiver.handle(request)
      expect([status, body]).toEqual([503, UNAVAILABLE])
      expect(Number(headers['Retry-After'])).toBeGreaterThanOrEqual(1)
      expect(headers['Cache-Control']).toBe('no-store')
    }
    expect(world.events.map(({ outcome, issuer }) => [outcome, issuer])).toEqual(
      all().map(() => ['unavailable', PROVIDER]),
    )
  }

  test('of the keys', async () => {
    const fetch = async () => {
      throw new Error('ECONNREFUSED')
    }
    world = createWorld({ sender: { jwks: undefined, fetch } })
    await expectOutage()
    expect(await world.keyring.tokenRevocations()).toEqual([])
  })

  test('of a store that fails', async () => {
    const store: KeyStore = {
      ...memoryKeyStore(),
      addTokenRevocationsOnce: () => Promise.reject(new Error('ECONNREFUSED')),
    }
    world = createWorld({ store })
    await expectOutage()
  })

  test('of a store that is silent', async () => {
    const store: KeyStore = { ...memoryKeyStore(), addTokenRevocationsOnce: () => new Promise(() => {}) }
    world = createWorld({ store, options: { timeoutMs: 20 } })
    await expectOutage()
  })

  test('of a store without revocations of events', async () => {
    const { addTokenRevocationsOnce: _, ...store } = memoryKeyStore()
    world = createWorld({ store })
    await expectOutage()
  })

  test('and what tells nothing needs no store', async () => {
    const store: KeyStore = {
      ...memoryKeyStore(),
      addTokenRevocationsOnce: () => Promise.reject(new Error('ECONNREFUSED')),
    }
    world = createWorld({ store })
    const events = { 'https://schemas.openid.net/secevent/ssf/event-type/verification': {} }
    const { status } = await world.receiver.handle(postEvent(world.provider.securityEvent({ events })))
    expect(status).toBe(202)
  })

  test('a clock that fails is one as well', async () => {
    let broken = false
    world = createWorld({
      options: {
        clock: () => {
          if (broken) throw new Error('no time')
          return world.time * 1000
        },
      },
    })
    const requests = all()
    broken = true
    for (const request of requests) expect((await world.receiver.handle(request)).status).toBe(503)
  })
})

describe('a key that is not known yet', () => {
  test('is fetched', async () => {
    let keys: readonly object[] = []
    world = createWorld({
      sender: { jwks: undefined, jwksUri: `${PROVIDER}/jwks`, fetch: async () => Response.json({ keys }) },
    })
    keys = world.provider.jwks.keys
    expect((await world.receiver.handle(postForm(world.provider.logoutToken()))).status).toBe(200)
  })
})

describe('under way at a time', () => {
  test('are 500 writes; what is beyond is 503, and what anybody can send takes no place of theirs', async () => {
    const release: (() => void)[] = []
    const store = memoryKeyStore()
    const slow: KeyStore = {
      ...store,
      addTokenRevocationsOnce: (...given) =>
        new Promise((resolve) => {
          release.push(() => resolve(store.addTokenRevocationsOnce?.(...given) as Promise<boolean>))
        }),
    }
    world = createWorld({ store: slow, options: { timeoutMs: 20_000 } })
    const { provider, receiver } = world
    const first = Array.from({ length: 500 }, () => receiver.handle(postForm(provider.logoutToken())))
    await vi.waitFor(() => expect(release).toHaveLength(500))
    expect((await receiver.handle(postForm(provider.logoutToken()))).status).toBe(503)
    // Forged ones are refused as ever.
    expect((await receiver.handle(postForm(provider.logoutToken({}, { kid: 'other' })))).status).toBe(400)
    for (const settle of release) settle()
    expect(new Set((await Promise.all(first)).map(({ status }) => status))).toEqual(new Set([200]))
    const after = receiver.handle(postForm(provider.logoutToken()))
    await vi.waitFor(() => expect(release).toHaveLength(501))
    release[500]?.()
    expect((await after).status).toBe(200)
  })
})

describe('what waits for keys', () => {
  /** A provider whose key set has no other answer than the first, until it is released. */
  function createSlowWorld() {
    const release: (() => void)[] = []
    const answers = { loaded: false }
    const fetch = async () => {
      if (answers.loaded) await new Promise<void>((resolve) => release.push(resolve))
      return Response.json(world.provider.jwks)
    }
    const others = createProvider({ issuer: 'https://other.example', kid: 'other' })
    world = createWorld({
      sender: { jwks: undefined, jwksUri: `${PROVIDER}/jwks`, fetch },
      others: [{ issuer: others.issuer, audience: CLIENT, jwks: others.jwks }],
      options: { timeoutMs: 20_000 },
    })
    const invent = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        world.receiver.handle(postForm(world.provider.logoutToken({}, { kid: `invented-${i}` }))),
      )
    return { answers, release, others, invent }
  }

  test('for an invented kid keeps out nobody whose keys are there', async () => {
    const { answers, release, others, invent } = createSlowWorld()
    expect((await world.receiver.handle(postForm(world.provider.logoutToken()))).status).toBe(200)
    answers.loaded = true
    const invented = invent(600)
    await vi.waitFor(() => expect(release).toHaveLength(1))
    for (const provider of [world.provider, others]) {
      expect((await world.receiver.handle(postForm(provider.logoutToken()))).status).toBe(200)
    }
    answers.loaded = false
    release[0]?.()
    const statuses = (await Promise.all(invented)).map(({ status }) => status)
    // Of those that waited each is told so; the others were too many.
    expect([400, 503].map((one) => statuses.filter((status) => status === one).length)).toEqual([100, 500])
  })

  test('are 500 of one sender at a time, and none of another', async () => {
    const { answers, release, others, invent } = createSlowWorld()
    answers.loaded = true
    const waiting = invent(500)
    await vi.waitFor(() => expect(release).toHaveLength(1))
    expect((await world.receiver.handle(postForm(world.provider.logoutToken()))).status).toBe(503)
    expect((await world.receiver.handle(postForm(others.logoutToken()))).status).toBe(200)
    answers.loaded = false
    release[0]?.()
    await Promise.all(waiting)
    expect((await world.receiver.handle(postForm(world.provider.logoutToken()))).status).toBe(200)
  })
})

describe('close', () => {
  test('waits for what is under way; afterwards everything is 503', async () => {
    let release = () => {}
    const store = memoryKeyStore()
    const slow: KeyStore = {
      ...store,
      addTokenRevocationsOnce: (...given) =>
        new Promise((resolve) => {
          release = () => resolve(store.addTokenRevocationsOnce?.(...given) as Promise<boolean>)
        }),
    }
    world = createWorld({ store: slow })
    const { provider, receiver } = world
    const answer = receiver.handle(postForm(provider.logoutToken()))
    await vi.waitFor(() => release.name !== '' && expect(release.toString()).toContain('resolve'))
    const order: string[] = []
    void answer.then(() => order.push('answered'))
    const closed = receiver.close().then(() => order.push('closed'))
    expect((await receiver.handle(postForm(provider.logoutToken()))).status).toBe(503)
    release()
    await closed
    expect([(await answer).status, order]).toEqual([200, ['answered', 'closed']])
    await receiver.close()
    expect((await receiver.handle({ ...postForm('x'), method: 'GET' })).status).toBe(503)
  })
})

const INSTANT = /\d{4}-\d\d-\d\dT[\d:.]+Z/

describe('a logout token that was lost is told of, since its sender does not repeat it', () => {
  test('on standard error, without text of the token', async () => {
    const lines: string[] = []
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      lines.push(String(text))
      return true
    })
    const store: KeyStore = {
      ...memoryKeyStore(),
      addTokenRevocationsOnce: () => Promise.reject(new Error('ECONNREFUSED')),
    }
    world = createWorld({ store, options: { outageNotices: true } })
    for (const request of [...all(), ...all()]) await world.receiver.handle(request)
    write.mockRestore()
    const told = lines.filter((line) => line.includes('revoke by hand'))
    expect(told).toHaveLength(1)
    expect(told[0]?.replace(INSTANT, '<time>')).toBe(
      `vantage-auth: issuer ${PROVIDER}: a logout token was answered 503 (at <time>), and the issuer does not repeat them. Look up in its log whose sessions ended, and revoke by hand: vantage-auth tokens revoke --issuer ${PROVIDER} --session-id …, or --subject …\n`,
    )
    expect(lines.join('')).toContain('vantage-auth: key store of the revocation receiver failed: ECONNREFUSED')
    expect(lines.join('')).not.toMatch(/u1|s1|event-\d/)
  })

  test('and whose signature could not be verified, as what may have been one', async () => {
    const lines: string[] = []
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      lines.push(String(text))
      return true
    })
    const fetch = async () => {
      throw new Error('ECONNREFUSED')
    }
    world = createWorld({ sender: { jwks: undefined, fetch }, options: { outageNotices: true } })
    for (const request of all()) await world.receiver.handle(request)
    write.mockRestore()
    expect(lines.filter((line) => line.includes('by hand')).map((line) => line.replace(INSTANT, '<time>'))).toEqual([
      `vantage-auth: issuer ${PROVIDER}: what may have been a logout token was answered 503 (at <time>) before the signature could be verified: anybody may have sent it. Look up in the issuer's log whether a session ended, and revoke by hand if so: vantage-auth tokens revoke\n`,
    ])
  })

  test('once a minute, with their number and times, for each issuer, and the last of them by close()', () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 10, 30, 12), toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] })
    try {
      const lines: string[] = []
      const losses = createLossNotices(true, (line) => lines.push(line))
      const senderOf = (issuer: string) => ({ issuer, tokenIssuers: [issuer] })
      const [a, b] = [senderOf('https://a.example'), senderOf('https://b.example')]
      const told = () => lines.splice(0).map((line) => line.slice(0, line.indexOf(')')))

      losses.lost(a, true)
      losses.lost(b, true)
      // What may be anybody's is counted apart.
      losses.lost(a, false)
      expect(told()).toEqual([
        'issuer https://a.example: a logout token was answered 503 (at 2026-11-30T12:00:00.000Z',
        'issuer https://b.example: a logout token was answered 503 (at 2026-11-30T12:00:00.000Z',
        'issuer https://a.example: what may have been a logout token was answered 503 (at 2026-11-30T12:00:00.000Z',
      ])

      vi.advanceTimersByTime(10_000)
      losses.lost(a, true)
      losses.lost(a, false)
      vi.advanceTimersByTime(10_000)
      losses.lost(a, true)
      expect(told()).toEqual([])
      vi.advanceTimersByTime(40_000)
      expect(told()).toEqual([
        'issuer https://a.example: 2 logout tokens were answered 503 (from 2026-11-30T12:00:10.000Z to 2026-11-30T12:00:20.000Z',
        'issuer https://a.example: what may have been a logout token was answered 503 (at 2026-11-30T12:00:10.000Z',
      ])

      losses.lost(a, true)
      losses.close()
      expect(told()).toEqual(['issuer https://a.example: a logout token was answered 503 (at 2026-11-30T12:01:00.000Z'])
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })
})

test('on SQLite: written by one process, a repetition for the next one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vantage-receiver-'))
  try {
    const url = `sqlite:${join(folder, 'keys.db')}`
    const clock = () => world.time * 1000
    world = createWorld({ keyring: createKeyring(url, { clock }) })
    const request = postForm(world.provider.logoutToken())
    expect((await world.receiver.handle(request)).status).toBe(200)
    const first = world
    const { jwks } = first.provider
    const second = createWorld({ keyring: createKeyring(url, { clock }), sender: { jwks } })
    expect((await second.receiver.handle(request)).status).toBe(200)
    expect(second.events).toMatchObject([{ outcome: 'repeated', revocations: 0 }])
    expect(await second.keyring.tokenRevocations()).toHaveLength(2)
    await second.close()
  } finally {
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
