import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A server on loopback for one test that answers JSON, or 404. It keeps what it was asked. */
export async function createTestServer(answer: (path: string, url: string) => unknown) {
  const requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = []
  let url = ''
  const server = createServer(({ url: path = '', headers }, response) => {
    requests.push({ path, headers })
    const body = answer(path, url)
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(body === undefined ? '' : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url, requests }
}
