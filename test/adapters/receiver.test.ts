/** What providers send, over the wire to every framework, with and without body parsers in front: one table of answers. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RevocationReceiverOptions } from '../../adapters/express.js'
import type { Keyring } from '../../src/keyring/contract.js'
import { exchange, requestText, type WireAnswer, type WireRequest } from '../support/frameworks.js'
import { CLIENT, CONTENT_TYPES, createProvider, NOW, PROVIDER, USER } from '../support/providers.js'
import { HOSTS, PATH, type RunningReceiver } from '../support/receivers.js'

const provider = createProvider()
const clock = () => NOW * 1000
const { form, event, json } = CONTENT_TYPES

function createOptions(keyring: Keyring): RevocationReceiverOptions {
  return { keyring, issuers: [{ issuer: PROVIDER, audience: CLIENT, jwks: provider.jwks }], clock }
}

const post = (contentType: string | undefined, body: string, over: Partial<WireRequest> = {}): WireRequest => ({
  method: 'POST',
  path: PATH,
  body,
  ...over,
  headers: [...(contentType === undefined ? [] : [['Content-Type', contentType] as const]), ...(over.headers ?? [])],
})

interface Row {
  readonly name: string
  readonly request: WireRequest
  readonly answer: WireAnswer
}

const LOGOUT = provider.logoutToken()
const SECURITY_EVENT = provider.securityEvent()
const revocation = { authorization: `Bearer ${provider.revocationToken()}` }

const empty = (status: number): WireAnswer => ({
  status,
  headers: { 'cache-control': 'no-store', ...(status !== 204 && { 'content-length': '0' }) },
  body: '',
})

const refused = (status: number, description: string, headers: Record<string, string> = {}): WireAnswer => {
  const body = `{"error":"invalid_request","error_description":"${description}"}`
  return {
    status,
    headers: {
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(body.length),
      ...headers,
    },
    body,
  }
}

const MALFORMED = refused(400, 'The request is malformed')
const NOT_POST = refused(405, 'Only POST is taken here', { allow: 'POST' })
const TOO_LARGE = refused(413, 'The body is longer than 16384 bytes')
const OTHER_TYPE = refused(415, 'The Content-Type is none that is taken here', {
  accept: 'application/x-www-form-urlencoded, application/secevent+jwt, application/json',
})
/** 16 384 bytes, and as many more as are said. */
const formOf = (more: number): string => `logout_token=${LOGOUT}&x=`.padEnd(16_384 + more, 'x')

const ROWS: readonly Row[] = [
  { name: 'a logout token', request: post(form, `logout_token=${LOGOUT}`), answer: empty(200) },
  { name: 'the same once more', request: post(form, `logout_token=${LOGOUT}`), answer: empty(200) },
  {
    name: 'a form with more in it, percent-encoded',
    request: post(`${form.toUpperCase()}; charset=UTF-8`, `a=%00&%6cogout_token=${LOGOUT.replaceAll('.', '%2E')}&b`),
    answer: empty(200),
  },
  {
    name: 'a query of its own',
    request: post(form, `logout_token=${LOGOUT}`, { path: `${PATH}?tenant=a` }),
    answer: empty(200),
  },
  { name: 'the largest body', request: post(form, formOf(0)), answer: empty(200) },
  { name: 'a body in chunks', request: chunked(form, `logout_token=${LOGOUT}`), answer: empty(200) },
  { name: 'a security event', request: post(event, SECURITY_EVENT), answer: empty(202) },
  {
    name: 'a global token revocation',
    request: post(json, JSON.stringify({ sub_id: USER }), revocation),
    answer: empty(204),
  },

  {
    name: 'a logout token twice',
    request: post(form, `logout_token=${LOGOUT}&logout_token=${LOGOUT}`),
    answer: MALFORMED,
  },
  { name: 'a logout token in a list', request: post(form, `logout_token[]=${LOGOUT}`), answer: MALFORMED },
  { name: 'a logout token with a member', request: post(form, `logout_token[a]=${LOGOUT}`), answer: MALFORMED },
  {
    name: 'a form of a prototype',
    request: post(form, `__proto__=${LOGOUT}&__proto__[logout_token]=${LOGOUT}`),
    answer: MALFORMED,
  },
  { name: 'an empty form', request: post(form, ''), answer: MALFORMED },
  {
    name: 'a logout token in the query',
    request: post(form, '', { path: `${PATH}?logout_token=${LOGOUT}` }),
    answer: MALFORMED,
  },
  {
    name: 'one there as well',
    request: post(form, `logout_token=${LOGOUT}`, { path: `${PATH}?logout%5Ftoken=a` }),
    answer: MALFORMED,
  },
  {
    name: 'one there under another name',
    request: post(form, `logout_token=${LOGOUT}`, { path: `${PATH}?a=1&b=${LOGOUT}` }),
    answer: MALFORMED,
  },
  {
    name: 'two Authorization lines',
    request: post(form, `logout_token=${LOGOUT}`, { authorization: ['Basic a', 'Basic b'] }),
    answer: MALFORMED,
  },
  { name: 'JSON that is no object', request: post(json, '[1]', revocation), answer: MALFORMED },
  {
    name: 'JSON of a prototype',
    request: post(json, `{"__proto__":{"sub_id":${JSON.stringify(USER)}}}`, revocation),
    answer: refused(400, 'The subject is missing or cannot be read'),
  },

  { name: 'one byte too many', request: post(form, formOf(1)), answer: TOO_LARGE },
  { name: 'one byte too many in chunks', request: chunked(form, formOf(1)), answer: TOO_LARGE },
  { name: 'a type that is not taken', request: post('text/html', LOGOUT), answer: OTHER_TYPE },
  { name: 'no type', request: post(undefined, LOGOUT), answer: OTHER_TYPE },
  { name: 'a type that is none', request: post('nonsense;;=', LOGOUT), answer: OTHER_TYPE },
  { name: 'no body of no type', request: post(undefined, ''), answer: OTHER_TYPE },
  ...['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PURGE'].map((method) => ({
    name: method,
    request: { method, path: PATH },
    answer: NOT_POST,
  })),
  { name: 'PUT with a body', request: post(form, `logout_token=${LOGOUT}`, { method: 'PUT' }), answer: NOT_POST },
  { name: 'HEAD', request: { method: 'HEAD', path: PATH }, answer: { ...NOT_POST, body: '' } },
]

function chunked(contentType: string, body: string): WireRequest {
  const half = Math.floor(body.length / 2)
  const chunks = [body.slice(0, half), body.slice(half)].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
  // exchange() announces what it is given as `body`: here the body follows the headers by itself.
  return post(contentType, '', {
    headers: [['Transfer-Encoding', `chunked\r\n\r\n${chunks.join('')}0`]],
  })
}

/** What is ours of an answer. */
function ours({ status, headers, body }: WireAnswer): WireAnswer {
  const theirs = new Set(['date', 'connection', 'keep-alive', 'x-powered-by'])
  return { status, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !theirs.has(name))), body }
}

describe.each(HOSTS)('$name', ({ name, before, start }) => {
  let keyring: Keyring
  let running: RunningReceiver
  beforeAll(async () => {
    keyring = createKeyring(memoryKeyStore(), { clock })
    running = await start(createOptions(keyring))
  })
  afterAll(async () => {
    await running.close()
    await keyring.close()
  })

  test.each(ROWS)('$name: $answer.status', async ({ request, answer }) => {
    expect(ours(await exchange(running.port, request))).toEqual(answer)
    expect(running.failures).toEqual([])
  })

  test('a client that waits for 100 Continue is told to go on', async () => {
    const request = post(form, `logout_token=${LOGOUT}`, { headers: [['Expect', '100-continue']] })
    const answer = await exchange(running.port, request)
    expect([answer.status, answer.body.split('\r\n', 1)]).toEqual([100, ['HTTP/1.1 200 OK']])
  })

  test('a body that is compressed is for parsers that can read it', async () => {
    const body = gzipSync(`logout_token=${LOGOUT}`).toString('latin1')
    const request = post(form, body, { headers: [['Content-Encoding', 'gzip']] })
    const refusal = refused(415, 'The body must not be compressed', { 'accept-encoding': 'identity' })
    // The parser of the Koa applications here cannot.
    const isRead = before !== 'nothing' && !name.startsWith('Fastify')
    const answer = name.startsWith('Koa') && isRead ? MALFORMED : isRead ? empty(200) : refusal
    expect(ours(await exchange(running.port, request))).toEqual(answer)
  })

  test('requests behind one another on a connection have an answer each', async () => {
    const text = [post(form, `logout_token=${LOGOUT}`), post(event, SECURITY_EVENT), { method: 'GET', path: PATH }]
      .map((request) => requestText(request).replace('Connection: close', 'Connection: keep-alive'))
      .join('')
    const said = await converse(running.port, text + requestText({ method: 'PUT', path: PATH }))
    expect(said.match(/HTTP\/1\.1 \d+/g)).toEqual(['200', '202', '405', '405'].map((status) => `HTTP/1.1 ${status}`))
  })

  test('HTTP/1.0 has its answer', async () => {
    const text = requestText(post(form, `logout_token=${LOGOUT}`)).replace('HTTP/1.1', 'HTTP/1.0')
    expect(await converse(running.port, text)).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  test.each([
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
  ])('%s are no request', async (_name, lines) => {
    const text = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: ${form}\r\n${lines.join('\r\n')}\r\n\r\n0\r\n\r\n`
    expect(await converse(running.port, text)).toMatch(/^HTTP\/1\.1 400 /)
  })

  // Where a parser in front does not wait for the rest.
  if (before === 'nothing' || name.startsWith('Fastify')) {
    test('a client that announces too much and sends nothing is refused, and its connection ends', async () => {
      const text = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: ${form}\r\nContent-Length: 99999\r\n\r\n`
      expect(await converse(running.port, text)).toMatch(/^HTTP\/1\.1 413 [\s\S]*\nconnection: close/i)
    })
  }

  test('a client that goes away in the middle of its body leaves nothing behind', async () => {
    const socket = connect(running.port, '127.0.0.1')
    socket.write(`POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: ${form}\r\nContent-Length: 99\r\n\r\nlogout_`)
    await once(socket, 'connect')
    socket.destroy()
    expect(ours(await exchange(running.port, post(form, `logout_token=${LOGOUT}`)))).toEqual(empty(200))
  })
})

/** Writes a text and reads until the server ends the connection. */
async function converse(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write(text, 'latin1')
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}
