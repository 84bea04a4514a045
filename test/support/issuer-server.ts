import { fork } from 'node:child_process'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { fileURLToPath } from 'node:url'

/** How an issuer can be out of order. */
export const FAULTS = ['refuses', 'hangs', 'drips', 'floods', 'html', 'redirects', 'error', 'wrong issuer'] as const

export type Fault = (typeof FAULTS)[number]

/** What the process is told; everything not named stays as it is. */
export interface Orders {
  /** Public keys of the key set from now on. */
  keys?: readonly object[]
  /** `null`: in order. */
  fault?: Fault | null
  /** What is out of order; default both. */
  at?: 'metadata' | 'jwks' | 'both'
  /** Delay of each answer. */
  delayMs?: number
  /** Starts to count from nothing. */
  recount?: boolean
}

/** Requests since the start or the last recount. Connections that were refused are not in it. */
export interface Counts {
  readonly metadata: number
  readonly jwks: number
}

/** An issuer in a process of its own: metadata and key set over real sockets, in order or not. */
export interface IssuerProcess {
  /** Issuer identifier. */
  readonly url: string
  /** Resolves when the orders are in force. */
  order(orders: Orders): Promise<Counts>
  counts(): Promise<Counts>
  close(): Promise<void>
}

/**
 * @param options.listening false: nothing listens on the port until a first order with `fault: null`
 * @param options.tls PEM texts; default plain http
 */
export async function startIssuer(
  options: { listening?: boolean; tls?: { key: string; cert: string } } = {},
): Promise<IssuerProcess> {
  const child = fork(fileURLToPath(import.meta.url), [], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ISSUER_SERVER: '1' },
  })
  const waiting: ((reply: Reply) => void)[] = []
  let exited = false
  child.on('message', (reply: Reply) => waiting.shift()?.(reply))
  child.once('exit', () => {
    exited = true
    for (const settle of waiting.splice(0)) settle({ url: '', counts: { metadata: 0, jwks: 0 }, error: 'it has ended' })
  })
  const send = async (message: Message): Promise<Reply> => {
    if (exited) throw new Error('the issuer process has ended')
    const reply = await new Promise<Reply>((resolve) => {
      waiting.push(resolve)
      child.send(message)
    })
    if (reply.error !== undefined) throw new Error(`the issuer process: ${reply.error}`)
    return reply
  }

  const { url } = await send({ start: { tls: options.tls, listening: options.listening ?? true } })
  return {
    url,
    order: async (orders) => (await send({ orders })).counts,
    counts: async () => (await send({ orders: {} })).counts,
    close: () =>
      new Promise((resolve) => {
        if (exited) return resolve()
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}

type Message = { start: { tls: { key: string; cert: string } | undefined; listening: boolean } } | { orders: Orders }

interface Reply {
  readonly url: string
  readonly counts: Counts
  readonly error?: string
}

if (process.env.ISSUER_SERVER === '1' && process.send !== undefined) serve()

function serve(): void {
  const state = { keys: [] as readonly object[], fault: null as Fault | null, at: 'both' as Orders['at'], delayMs: 0 }
  let counts = { metadata: 0, jwks: 0 }
  let url = ''
  let port = 0
  let create: () => Server & { closeAllConnections(): void } = () => createHttpServer(answer)
  let server: ReturnType<typeof create> | undefined

  async function listen(): Promise<void> {
    if (server !== undefined) return
    const next = create()
    await new Promise<void>((resolve, reject) => next.once('error', reject).listen(port, '127.0.0.1', resolve))
    server = next
    port = (next.address() as AddressInfo).port
  }

  async function stop(): Promise<void> {
    const closed = new Promise((resolve) => server?.close(resolve) ?? resolve(undefined))
    server?.closeAllConnections()
    server = undefined
    await closed
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? ''
    const what = /^(\/good)?\/jwks$/.test(path) ? 'jwks' : path.includes('/.well-known/') ? 'metadata' : undefined
    if (what === undefined) return void response.writeHead(404).end()
    counts[what]++
    const fault = state.at === 'both' || state.at === what ? state.fault : null
    const metadata = { issuer: url, jwks_uri: `${url}/jwks` }
    const body = JSON.stringify(what === 'jwks' ? { keys: state.keys } : metadata)
    const json = { 'content-type': 'application/json' }
    setTimeout(() => {
      switch (path.startsWith('/good/') ? null : fault) {
        case 'hangs':
          return
        case 'drips': {
          response.writeHead(200, json)
          let sent = 0
          const drip = setInterval(() => response.write(body[sent++] ?? ' '), 1000)
          response.once('close', () => clearInterval(drip))
          return
        }
        case 'floods':
          return flood(response)
        case 'html':
          return void response
            .writeHead(200, { 'content-type': 'text/html' })
            .end('<!doctype html><title>Login</title>')
        case 'redirects':
          // Whoever follows it finds everything in order.
          return void response.writeHead(302, { location: `${url}/good${path}` }).end()
        case 'error':
          return void response.writeHead(500).end()
        case 'wrong issuer':
          return void response.writeHead(200, json).end(JSON.stringify({ ...metadata, issuer: `${url}/other` }))
        default:
          return void response.writeHead(200, json).end(body)
      }
    }, state.delayMs)
  }

  /** 200 MB of a key set that never gets to its end. */
  function flood(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    const block = Buffer.alloc(2 ** 20, ' ')
    let left = 200
    response.write('{"keys":[')
    const more = () => {
      while (left-- > 0) if (!response.write(block)) return void response.once('drain', more)
      response.end('')
    }
    more()
  }

  async function obey(message: Message): Promise<void> {
    if ('start' in message) {
      const { tls, listening } = message.start
      if (tls !== undefined) create = () => createHttpsServer(tls, answer)
      await listen()
      url = `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${port}`
      if (!listening) await stop()
      return
    }
    const { keys, fault, at, delayMs, recount } = message.orders
    if (keys !== undefined) state.keys = keys
    if (delayMs !== undefined) state.delayMs = delayMs
    if (recount) counts = { metadata: 0, jwks: 0 }
    if (fault === undefined) return
    state.fault = fault
    state.at = at ?? 'both'
    if (fault === 'refuses') await stop()
    else await listen()
  }

  // One order after the other, so that the replies come in the order of the orders.
  let last: Promise<unknown> = Promise.resolve()
  process.on('message', (message: Message) => {
    last = last
      .then(() => obey(message))
      .then(
        () => process.send?.({ url, counts } satisfies Reply),
        (error: Error) => process.send?.({ url, counts, error: error.message } satisfies Reply),
      )
  })
  // Whoever started it may have ended without a word.
  process.once('disconnect', () => process.exit(0))
}
