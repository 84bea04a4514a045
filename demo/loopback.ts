import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Where every part of the demo listens: nothing of it can be reached from another machine. */
export const LOOPBACK = '127.0.0.1'

/** A part of the demo that is up. */
export interface Running {
  readonly url: string
  /** Stops listening and cuts open connections. Idempotent. */
  close(): Promise<void>
}

/**
 * Listens on loopback.
 *
 * @param port 0 for a free one
 * @throws the system's `EADDRINUSE` error, which carries `port`, when it is taken
 */
export async function listen(server: Server, port: number): Promise<Running> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, LOOPBACK, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/**
 * Serves a Node request listener, which Express applications are and Koa applications make, on loopback.
 *
 * @param verifier closed with the server, and when there is no server
 */
export async function serve(
  listener: RequestListener,
  port: number,
  verifier: { close(): Promise<void> },
): Promise<Running> {
  try {
    const { url, close } = await listen(createServer(listener), port)
    return { url, close: () => close().then(() => verifier.close()) }
  } catch (error) {
    await verifier.close()
    throw error
  }
}
