import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands between a store and its server, as a network does. */
export interface PostgresProxy {
  /** The connection string of the server, through this proxy. */
  through(url: string): string
  /** Number of connections that were made through it so far. */
  readonly connections: number
  /** From now on nothing is forwarded, in either direction, and nothing is closed; connections are still accepted. */
  stall(): void
  resume(): void
  /** Ends all connections. */
  cut(): void
  close(): Promise<void>
}

/**
 * @param options.dropNotifications what clients of a transaction-pooling proxy see: LISTEN is accepted, and nothing comes
 */
export async function startProxy(port: number, options: { dropNotifications?: boolean } = {}): Promise<PostgresProxy> {
  const sockets = new Set<Socket>()
  let stalled = false
  let connections = 0

  const server = createServer((client) => {
    connections++
    const upstream = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      if (stalled) from.pause()
      const forward = from === upstream && options.dropNotifications ? withoutNotifications() : (chunk: Buffer) => chunk
      from.on('data', (chunk) => to.write(forward(chunk)))
      from.on('close', () => {
        sockets.delete(from)
        // A stalled network does not tell of an end either.
        if (!stalled) to.destroy()
      })
      from.on('error', () => {})
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const own = typeof address === 'object' && address ? address.port : 0

  return {
    through: (url) => url.replace(`:${port}/`, `:${own}/`),
    get connections() {
      return connections
    },
    stall() {
      stalled = true
      for (const socket of sockets) socket.pause()
    },
    resume() {
      stalled = false
      for (const socket of sockets) socket.resume()
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Of the server's messages (one letter, the length with itself, the rest), all but NotificationResponse. */
function withoutNotifications(): (chunk: Buffer) => Buffer {
  let pending = Buffer.alloc(0)
  return (chunk) => {
    pending = Buffer.concat([pending, chunk])
    const kept: Buffer[] = []
    while (pending.length >= 5) {
      const end = 1 + pending.readUInt32BE(1)
      if (pending.length < end) break
      if (pending[0] !== 'A'.charCodeAt(0)) kept.push(pending.subarray(0, end))
      pending = pending.subarray(end)
    }
    return Buffer.concat(kept)
  }
}
