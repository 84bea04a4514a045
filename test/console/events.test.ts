import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { KEY_EVENTS } from '../../console/api-types.js'
import type { Caller } from '../../console/caller.js'
import { ALL_TENANTS } from '../../console/contract.js'
import { createEventStreams } from '../../console/events.js'
import type { ConsoleAnswer, ConsoleRequest } from '../../console/exchange.js'
import { noteRefusal } from '../../console/preset.js'
import { InvalidTokenError, UnavailableError } from '../../src/core/errors.js'

// What a keyring tells is given by hand here; events-over-http.test.ts has real ones. The timer is of the test.
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Streams = ReturnType<typeof createEventStreams>
type Hear = Parameters<Parameters<typeof createEventStreams>[0]['watch']>[0]

function world() {
  const watches: { hear: Hear; isOpen: boolean }[] = []
  const streams = createEventStreams({
    watch(hear) {
      const watch = { hear, isOpen: true }
      watches.push(watch)
      return {
        close: async () => {
          watch.isOpen = false
        },
      }
    },
  })
  const tell = (event: Parameters<Hear>[0]) => {
    for (const { hear, isOpen } of watches) if (isOpen) hear(event)
  }
  return {
    streams,
    watches,
    reload: () => tell({ type: 'reload' }),
    tell(
      id: string,
      {
        type = 'changed',
        tenant = 'acme',
        subject = 'ada',
      }: { type?: (typeof KEY_EVENTS)[number]; tenant?: string; subject?: string } = {},
    ) {
      const record = { id, tenant, subject, name: 'deploy', state: type === 'revoked' ? 'revoked' : 'active' }
      tell({ type, at: new Date(0), record: record as never })
    },
  }
}

const ada: Caller = {
  actor: 'ada',
  tenant: 'acme',
  subject: undefined,
  canWrite: true,
  grantable: [],
  notAfter: undefined,
  namesNoScope: false,
  byScope: false,
  mayNameTenant: false,
}
const bob: Caller = { ...ada, actor: 'bob', tenant: 'globex' }

function requestWith(lastEventId?: string, method = 'GET'): ConsoleRequest {
  const headers: Record<string, string | undefined> = { 'last-event-id': lastEventId }
  return { method, header: (name: string) => headers[name] } as ConsoleRequest
}

interface Message {
  readonly id?: string
  readonly event?: string
  readonly data?: string
}

/** A client: what it has read since it was asked last. Messages that only set the position are left out. */
class Client {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #text = ''
  ended: 'closed' | 'broken' | undefined
  position: string | undefined

  constructor(answer: ConsoleAnswer) {
    expect(answer).toMatchObject({ status: 200, headers: { 'Content-Type': 'text/event-stream' } })
    this.#reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  }

  async text(): Promise<string> {
    while (this.ended === undefined) {
      const next = await Promise.race([
        this.#reader.read().then(
          ({ value }) => value ?? 'closed',
          () => 'broken' as const,
        ),
        // Nothing is on its way: what was sent is in the queue already.
        settle(),
      ])
      if (next === undefined) break
      if (typeof next === 'string') this.ended = next
      else this.#text += new TextDecoder().decode(next)
    }
    return this.#text
  }

  /** The read that found nothing stays, and would take the next chunk: each client is asked once. */
  async messages(): Promise<Message[]> {
    const blocks = (await this.text()).split('\n\n').slice(0, -1)
    const messages = blocks.map((block) =>
      Object.fromEntries(
        block
          .split('\n')
          .map((line) => line.split(/: (.*)/s, 2))
          .filter(([name]) => name !== ''),
      ),
    ) as Message[]
    this.position = messages.findLast(({ id }) => id !== undefined)?.id
    return messages.filter(({ event }) => event !== undefined)
  }

  cancel = () => this.#reader.cancel()
}

const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

function listen(
  streams: Streams,
  caller = ada,
  askAgain: () => Promise<Caller | undefined> = async () => caller,
  last?: string,
) {
  return new Client(streams.open(requestWith(last), caller, askAgain))
}

const ids = (messages: readonly Message[]) => messages.map(({ event, data }) => [event, JSON.parse(data ?? 'null').id])

describe('a client', () => {
  test('is sent a comment at once, and how to come back', async () => {
    const text = await listen(world().streams).text()
    expect(text).toMatch(/^:\n\nretry: 3000\nid: [\w-]{16}\n\n$/)
  })

  test('hears of the keys that it may see, and of nothing else of them than id, time and state', async () => {
    const { streams, tell } = world()
    const clients = [
      listen(streams),
      listen(streams, bob),
      listen(streams, { ...ada, subject: 'eve' }),
      listen(streams, { ...ada, tenant: ALL_TENANTS }),
    ]
    tell('1', { type: 'created' })
    tell('2', { type: 'revoked', tenant: 'globex' })
    tell('3', { subject: 'eve' })
    const [first, ...others] = await Promise.all(clients.map((client) => client.messages()))
    expect(first).toMatchObject([
      { event: 'created', data: '{"id":"1","at":"1970-01-01T00:00:00.000Z","state":"active"}' },
      { event: 'changed', data: '{"id":"3","at":"1970-01-01T00:00:00.000Z","state":"active"}' },
    ])
    expect(others.map(ids)).toEqual([
      [['revoked', '2']],
      [['changed', '3']],
      [
        ['created', '1'],
        ['revoked', '2'],
        ['changed', '3'],
      ],
    ])
  })

  test('gets a comment every 15 seconds', async () => {
    const { streams } = world()
    const client = listen(streams)
    vi.advanceTimersByTime(29_999)
    expect((await client.text()).match(/^:$/gm)).toHaveLength(2)
  })

  test('is told to load everything anew where the keyring cannot say what changed', async () => {
    const { streams, reload } = world()
    const client = listen(streams)
    reload()
    expect(await client.messages()).toMatchObject([{ event: 'reload' }])
  })

  test('that asks with HEAD opens nothing', () => {
    const { streams, watches } = world()
    expect(streams.open(requestWith(undefined, 'HEAD'), ada, async () => ada)).toMatchObject({ status: 200, body: '' })
    expect(watches).toHaveLength(0)
  })
})

describe('a client that comes back', () => {
  test('is caught up with what it may see', async () => {
    const { streams, tell } = world()
    const first = listen(streams)
    tell('1')
    await first.messages()
    await first.cancel()
    tell('2')
    tell('3', { tenant: 'globex' })
    tell('4')
    expect(ids(await listen(streams, ada, undefined, first.position).messages())).toEqual([
      ['changed', '2'],
      ['changed', '4'],
    ])
    // A position of somebody else leads to no keys of theirs.
    expect(ids(await listen(streams, bob, undefined, first.position).messages())).toEqual([['changed', '3']])
  })

  test('is caught up where it had heard nothing yet', async () => {
    const { streams, tell } = world()
    const first = listen(streams)
    await first.messages()
    await first.cancel()
    tell('1')
    expect(ids(await listen(streams, ada, undefined, first.position).messages())).toEqual([['changed', '1']])
  })

  test.each([
    ['an unknown position', 'AAAAAAAAAAAAAAAA'],
    ['an empty one', ''],
    ['a number', '0'],
    ['the name of a member of every object', '__proto__'],
    ['a long one', 'x'.repeat(15_000)],
  ])('is told to load everything anew with %s', async (_, position) => {
    const { streams, tell } = world()
    listen(streams)
    tell('1')
    expect(await listen(streams, ada, undefined, position).messages()).toMatchObject([{ event: 'reload' }])
  })

  test('is told to load everything anew when the journal has forgotten its position', async () => {
    const { streams, tell } = world()
    const first = listen(streams)
    await first.messages()
    const { position } = first
    const of = (last: string | undefined) => listen(streams, bob, undefined, last).messages()
    for (let i = 0; i < 1000; i++) tell('1')
    expect(await of(position)).toEqual([])
    tell('1')
    expect(await of(position)).toMatchObject([{ event: 'reload' }])
  })

  test('is told to load everything anew when something was missed', async () => {
    const { streams, reload } = world()
    const first = listen(streams)
    await first.messages()
    reload()
    expect(await listen(streams, ada, undefined, first.position).messages()).toMatchObject([{ event: 'reload' }])
  })

  test('cannot tell from positions how much happened to others', async () => {
    const { streams, tell } = world()
    const client = listen(streams)
    for (let i = 0; i < 5; i++) tell('1')
    const positions = (await client.messages()).map(({ id }) => id as string)
    expect(new Set(positions).size).toBe(5)
    for (const position of positions) expect(position).toMatch(/^[\w-]{16}$/)
  })
})

describe('authorize is asked again every 30 seconds', () => {
  async function after30Seconds(askAgain: () => Promise<Caller | undefined>) {
    const { streams, tell } = world()
    const client = listen(streams, ada, askAgain)
    vi.advanceTimersByTime(30_000)
    await settle()
    tell('1')
    const messages = await client.messages()
    return { ended: client.ended, events: messages.map(({ event }) => event) }
  }

  test('and an unchanged answer lets it go on', async () => {
    const asked = vi.fn(async () => ({ ...ada, canWrite: false }))
    expect(await after30Seconds(asked)).toEqual({ ended: undefined, events: ['changed'] })
    expect(asked).toHaveBeenCalledTimes(1)
  })

  test.each<[string, () => Promise<Caller | undefined>, string[]]>([
    ['no caller', async () => undefined, ['session-expired']],
    [
      'a 401 of authorizeByScope()',
      async () => Promise.reject(noteRefusal(new InvalidTokenError('vantage', 'revoked'))),
      ['session-expired'],
    ],
    ['its 503', async () => Promise.reject(noteRefusal(new UnavailableError('no store'))), []],
    [
      'a 401 of the application, which is a mistake',
      async () => Promise.reject(new InvalidTokenError('vantage', 'revoked')),
      [],
    ],
    ['a throw', async () => Promise.reject(new Error('no database')), []],
    ['another tenant', async () => ({ ...ada, tenant: 'globex' }), ['reload']],
    ['all tenants', async () => ({ ...ada, tenant: ALL_TENANTS }), ['reload']],
    ['another subject', async () => ({ ...ada, subject: 'ada' }), ['reload']],
    ['another actor', async () => ({ ...ada, actor: 'eve' }), ['reload']],
  ])('and it ends with %s', async (_, askAgain, events) => {
    expect(await after30Seconds(askAgain)).toEqual({ ended: 'closed', events })
  })

  test('and it ends where there is no answer when the next is due', async () => {
    const { streams } = world()
    const client = listen(streams, ada, () => new Promise(() => {}))
    vi.advanceTimersByTime(60_000)
    await client.text()
    expect(client.ended).toBe('closed')
  })
})

describe('it is bounded', () => {
  test('ten streams for one caller, and others still have theirs', async () => {
    const { streams } = world()
    const clients = Array.from({ length: 10 }, () => listen(streams))
    expect(streams.open(requestWith(), ada, async () => ada)).toMatchObject({
      status: 503,
      headers: { 'Retry-After': '10' },
    })
    listen(streams, bob)
    await clients[3]?.cancel()
    listen(streams)
  })

  test('a thousand streams in all', () => {
    const { streams } = world()
    for (let i = 0; i < 1000; i++) listen(streams, { ...ada, actor: `user ${i}` })
    expect(streams.open(requestWith(), bob, async () => bob)).toMatchObject({ status: 503 })
  })

  test('a client that reads slowly loses messages, and is told to load everything anew', async () => {
    const { streams, tell } = world()
    const client = listen(streams)
    for (let i = 0; i < 10_000; i++) tell('1')
    const messages = await client.messages()
    expect(messages.length).toBeLessThan(300)
    expect(messages.at(-1)).toMatchObject({ event: 'reload' })
  })

  test('a client that does not read is let go, and its place is free', async () => {
    const { streams, tell } = world()
    const clients = Array.from({ length: 10 }, () => listen(streams))
    for (let i = 0; i < 300; i++) tell('1')
    for (const client of clients.slice(1)) await client.text()
    vi.advanceTimersByTime(30_000)
    await clients[0]?.text()
    expect(clients[0]?.ended).toBe('broken')
    listen(streams)
    expect(streams.open(requestWith(), ada, async () => ada)).toMatchObject({ status: 503 })
  })

  test('a client that has missed much is not sent all of it', async () => {
    const { streams, tell } = world()
    const first = listen(streams)
    await first.messages()
    for (let i = 0; i < 500; i++) tell('1')
    expect(await listen(streams, ada, undefined, first.position).messages()).toMatchObject([{ event: 'reload' }])
  })
})

describe('the keyring is watched', () => {
  test('once for all, from the first stream on until none has been there for a while', async () => {
    const { streams, watches } = world()
    expect(watches).toHaveLength(0)
    const clients = [listen(streams), listen(streams, bob)]
    expect(watches).toHaveLength(1)
    await Promise.all(clients.map((client) => client.cancel()))
    vi.advanceTimersByTime(29_000)
    expect(watches[0]?.isOpen).toBe(true)
    vi.advanceTimersByTime(1000)
    expect(watches[0]?.isOpen).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('anew for who comes afterwards, and positions of before are not known any more', async () => {
    const { streams, watches } = world()
    const first = listen(streams)
    await first.messages()
    await first.cancel()
    vi.advanceTimersByTime(30_000)
    expect(await listen(streams, ada, undefined, first.position).messages()).toMatchObject([{ event: 'reload' }])
    expect(watches.map(({ isOpen }) => isOpen)).toEqual([false, true])
  })

  test('until close(), which ends every stream and lets no other begin', async () => {
    const { streams, watches } = world()
    const client = listen(streams)
    await streams.close()
    await client.text()
    expect(client.ended).toBe('closed')
    expect(watches[0]?.isOpen).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
    expect(streams.open(requestWith(), ada, async () => ada)).toMatchObject({ status: 503 })
    await streams.close()
  })
})
