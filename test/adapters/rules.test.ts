import { once } from 'node:events'
import { connect } from 'node:net'
import type { Auth } from 'vantage-auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exchange, FRAMEWORKS, type Options, type Route, requestText } from '../support/frameworks.js'
import { handled, invalid, keys, missing, options, token } from '../support/requests.js'

const forbidden = {
  status: 403,
  body: '{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided"}',
  headers: {
    'www-authenticate':
      'Bearer realm="vantage", error="insufficient_scope", error_description="The request requires higher privileges than provided"',
  },
}

describe.each(FRAMEWORKS)('kinds and rules on $name', (framework) => {
  const endings: (() => unknown)[] = []
  const rejections: unknown[] = []
  const record = (reason: unknown) => void rejections.push(reason)
  beforeEach(() => void process.on('unhandledRejection', record))
  afterEach(async () => {
    for (const end of endings.splice(0)) await end()
    await new Promise(setImmediate)
    process.off('unhandledRejection', record)
    expect(rejections.splice(0)).toEqual([])
  })

  async function serve(routes: readonly Route[], mount: Options = {}) {
    const running = await framework.start({ mounts: [{ ...options, ...mount }], routes })
    endings.push(() => running.close())
    return running
  }

  test('let the required kind pass, and refuse the other 401', async () => {
    const { port } = await serve([{ path: '/keys', kind: 'api_key', answer: () => 'open' }])
    expect(await exchange(port, { path: '/keys', authorization: `Bearer ${keys.read}` })).toMatchObject(handled('open'))
    expect(await exchange(port, { path: '/keys', authorization: `Bearer ${token}` })).toMatchObject(invalid())
  })

  test('let a request pass of which the rule says true, given the Auth and what handlers receive', async () => {
    const seen: unknown[] = []
    const handlers: object[] = []
    const rule = async (auth: Auth, request: object) => {
      seen.push(auth, request)
      return true
    }
    const { port } = await serve([
      {
        path: '/ruled',
        rule,
        answer: ({ request }) => {
          handlers.push(framework.adapter.getAuth(request), request)
          return 'open'
        },
      },
    ])
    const answer = await exchange(port, { path: '/ruled', authorization: `Bearer ${keys.read}` })
    expect(answer).toMatchObject(handled('open'))
    expect(seen).toEqual(handlers)
    expect(seen[1]).toBe(handlers[1])
  })

  test('refuse 403 without a scope where it says false, and without a credential 401', async () => {
    const { port } = await serve([{ path: '/ruled', rule: () => false, answer: () => 'open' }], { optional: true })
    expect(await exchange(port, { path: '/ruled', authorization: `Bearer ${keys.read}` })).toMatchObject(forbidden)
    expect(await exchange(port, { path: '/ruled' })).toMatchObject(missing())
  })

  test.each<[string, () => unknown]>([
    ['a throw', () => fail()],
    ['a rejection', async () => fail()],
    ['silence', () => new Promise(() => {})],
    ['a text', () => 'true'],
  ])('are a 500 for %s, and never access', async (_, rule) => {
    let opened = false
    const routes: Route[] = [{ path: '/ruled', rule: rule as () => boolean, answer: () => (opened = true) }]
    const { port } = await serve(routes, { timeoutMs: 30 })
    const answer = await exchange(port, { path: '/ruled', authorization: `Bearer ${keys.read}` })
    expect([answer.status, opened]).toEqual([500, false])
    expect(answer.body).not.toContain('hush')
  })

  test('survive a client that goes away while the rule takes time', async () => {
    let asked = () => {}
    let say: (answer: boolean) => void = () => {}
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    const rule = () => {
      asked()
      return new Promise<boolean>((resolve) => {
        say = resolve
      })
    }
    const { port } = await serve([{ path: '/ruled', rule, answer: () => 'open' }])
    for (const answer of [true, false]) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(requestText({ path: '/ruled', authorization: `Bearer ${keys.read}` }))
      await wasAsked
      socket.destroy()
      await once(socket, 'close')
      say(answer)
      await new Promise(setImmediate)
    }
    const pending = exchange(port, { path: '/ruled', authorization: `Bearer ${keys.read}` })
    const answering = setInterval(() => say(true), 5)
    expect(await pending).toMatchObject(handled('open'))
    clearInterval(answering)
  })
})

function fail(): never {
  throw new Error('hush')
}
