import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a browser and a server, as a network does. */
export interface LossyProxy {
  readonly port: number
  /**
   * The next request that begins so reaches the server. Of its answer only the head comes back, and the connection ends. (A
   * request of which nothing comes back is sent once more by the browser itself, where the connection was used before.)
   */
  loseNextAnswerTo(start: string): void
  close(): Promise<void>
}

/** @param port of the server */
export async function startLossyProxy(port: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>()
  let losing: string | undefined

  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    let loses = false
    client.on('data', (chunk) => {
      if (losing !== undefined && chunk.toString('latin1').startsWith(losing)) {
        losing = undefined
        loses = true
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (!loses) return void client.write(chunk)
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
    loseNextAnswerTo(start) {
      losing = start
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
