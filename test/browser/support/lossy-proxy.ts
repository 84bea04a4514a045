import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a browser and a server, as a network does. */
export interface LossyProxy {
  readonly port: number
  /**
   * The next request that begins so reaches the server. Of its answer only the head comes back, and the connection ends; or
   * nothing at all: then the browser itself sends the request once more, where the connection was used before.
   */
  loseNextAnswerTo(start: string, comesBack?: 'head' | 'nothing'): void
  close(): Promise<void>
}

/** @param port of the server */
export async function startLossyProxy(port: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>()
  let losing: { readonly start: string; readonly comesBack: 'head' | 'nothing' } | undefined

  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    let loses: 'head' | 'nothing' | undefined
    client.on('data', (chunk) => {
      if (losing !== undefined && chunk.toString('latin1').startsWith(losing.start)) {
        loses = losing.comesBack
        losing = undefined
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (loses === undefined) return void client.write(chunk)
      if (loses === 'nothing') return void client.destroy()
      client.write(chunk.subarray(0, chunk.indexOf('\r\n\r\n') + 4), () => client.destroy())
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswerTo(start, comesBack = 'head') {
      losing = { start, comesBack }
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
