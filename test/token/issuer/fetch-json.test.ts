import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { fetchJson } from '../../../src/token/issuer/fetch-json.js'

const MAX = 256 * 1024

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/path?secret=hunter2`)
}

const patience = () => AbortSignal.timeout(10_000)

test('reads a JSON document, asking for one', async () => {
  let accept: string | undefined
  const url = await serve((request, response) => {
    accept = request.headers.accept
    response.end('{"a":["ü"]}')
  })
  expect(await fetchJson(fetch, url, patience())).toEqual({ url, body: { a: ['ü'] } })
  expect(accept).toBe('application/json, application/jwk-set+json')
})

test.each([
  [404, false],
  [403, false],
  [302, false],
  [204, false],
  [408, true],
  [429, true],
  [500, true],
  [503, true],
])('gives the body of a %d up, which says nothing of the document: %s', async (code, outOfReach) => {
  const url = await serve((_, response) => {
    response.writeHead(code)
    if (code === 204) response.end()
    else response.write('unfinished')
  })
  const error = await fetchJson(fetch, url, patience()).catch((error: unknown) => error)
  expect(error).toMatchObject({ message: expect.stringMatching(`answered ${code}$`), outOfReach })
})

test.each([
  [MAX, 'read'],
  [MAX + 1, `answered with more than ${MAX} bytes`],
])('a document of %d bytes is %s', async (bytes, outcome) => {
  const url = await serve((_, response) => void response.end('7'.padEnd(bytes)))
  const result = await fetchJson(fetch, url, patience()).then(
    ({ body }) => (body === 7 ? 'read' : 'something else'),
    (error: Error) => error.message.replace(/^\S+ /, ''),
  )
  expect(result).toBe(outcome)
})

test('stops reading a document without end, and hangs up', async () => {
  let hungUp: Promise<void> | undefined
  const url = await serve((_, response) => {
    hungUp = new Promise((resolve) => response.once('close', resolve))
    const block = Buffer.alloc(65_536, ' ')
    const more = () => {
      while (response.write(block));
      response.once('drain', more)
    }
    more()
  })
  // No deadline that would hang up as well.
  await expect(fetchJson(fetch, url, new AbortController().signal)).rejects.toThrow('more than')
  await hungUp
})

test('every failure names the address without its query', async () => {
  const answers: RequestListener[] = [
    (_, response) => void response.end('text'),
    (_, response) => void response.writeHead(500).end(),
    (_, response) => void response.writeHead(301, { location: '/other' }).end(),
    (_, response) => void response.destroy(),
    () => {},
  ]
  for (const answer of answers) {
    const url = await serve(answer)
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(new Error('no answer in time')), 300)
    const error = await fetchJson(fetch, url, deadline.signal).catch((error: Error) => error)
    clearTimeout(timer)
    expect((error as Error).message).toMatch(`${url.origin}${url.pathname}`)
    expect((error as Error).message).not.toContain('hunter2')
  }
})

test('says why an address is out of reach', async () => {
  const url = await serve(() => {})
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  url.port = `${(closed.address() as AddressInfo).port}`
  await new Promise((resolve) => closed.close(resolve))
  await expect(fetchJson(fetch, url, patience())).rejects.toThrow('is out of reach: ECONNREFUSED')
})

test('refuses bytes that are not UTF-8, rather than to put something in their place', async () => {
  const url = await serve((_, response) => void response.end(Buffer.from('{"a":"\xff"}', 'latin1')))
  await expect(fetchJson(fetch, url, patience())).rejects.toThrow('not JSON')
})

test('fetches nothing when the deadline is over before it begins', async () => {
  let asked = 0
  const heedless = async () => {
    asked++
    return Response.json({})
  }
  const url = new URL('https://issuer.example')
  await expect(fetchJson(heedless, url, AbortSignal.abort(new Error('closed')))).rejects.toThrow('closed')
  expect(asked).toBe(0)
})

const SECRET = new URL(
  'https://us%40er:pass%2Fword@issuer.example/keys?code=hunter%2F2+2&more=s3cretive&n=1&bare-secret',
)
const withoutUserinfo = new URL(SECRET.href.replace(/\/\/.*@/, '//'))

test.each([
  ['the URL', `GET ${SECRET} failed`],
  ['the URL without its password', `GET ${withoutUserinfo} failed`],
  ['the path', `GET ${SECRET.pathname}${SECRET.search} failed`],
  ['the query', `no answer to code=hunter%2F2+2&more=s3cretive&n=1&bare-secret`],
  ['the URL in a URL', `proxy?to=${encodeURIComponent(withoutUserinfo.href)} failed`],
  ['the parameters', "params: { code: 'hunter/2 2', more: 's3cretive', n: '1' }"],
  ['a parameter as it is written', 'no client hunter%2F2+2'],
  ['a parameter without a value', 'no client bare-secret'],
  ['the user', 'authorization of us@er:pass/word failed'],
  ['the password', 'authorization with pass%2Fword failed'],
])('shows no secret where the error of the given fetch shows %s', async (_, message) => {
  class HttpError extends Error {
    override readonly name = 'HttpError'
    readonly code = 'ERR_BAD_RESPONSE'
    readonly config = { url: SECRET.href }
  }
  const failing = async () => Promise.reject(new HttpError(message, { cause: new Error(SECRET.href) }))
  const error = await fetchJson(failing, SECRET, patience()).catch((error: unknown) => error)
  expect(error).toMatchObject({ cause: { name: 'HttpError', code: 'ERR_BAD_RESPONSE' } })
  const shown = inspect(error, { depth: Infinity, showHidden: true })
  expect(shown).toContain('https://issuer.example/keys ')
  expect(shown).not.toMatch(/hunter|s3cretive|bare-secret|pass(\/|%2F)word/i)
})

test('leaves the message of the given fetch as it is where it shows no part of the query', async () => {
  const failing = async () => Promise.reject(new Error('1 socket n of 10 is gone: code 7'))
  await expect(fetchJson(failing, SECRET, patience())).rejects.toThrow(
    'https://issuer.example/keys 1 socket n of 10 is gone: code 7',
  )
})

test('an error of the given fetch that cannot be read is an error like any other', async () => {
  const strange = Object.defineProperty(new Error(), 'message', {
    get() {
      throw new Error('no')
    },
  })
  await expect(fetchJson(() => Promise.reject(strange), SECRET, patience())).rejects.toThrow('cannot be read')
})
