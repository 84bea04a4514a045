import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { UnavailableError } from '../../../src/core/errors.js'
import {
  type Answer,
  ask,
  json,
  MINUTE,
  old,
  readiness,
  SECOND,
  settled,
  setUp,
  setUpFetch,
  silence,
  status,
  text,
} from './issuer-world.js'

afterEach(() => {
  vi.restoreAllMocks()
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
    ['no keys', () => json({ keys: [] })],
    ['no key that can be used', () => json({ keys: [{ ...old, use: 'enc' }, { ...old, x: 'AAAA' }, null] })],
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
