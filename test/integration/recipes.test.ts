import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type Koa from 'koa'
import { createKeyring } from 'vantage-auth'
import { createTestIssuer } from 'vantage-auth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createOutageNotices } from '../../src/core/outage-notices.js'

const root = resolve(import.meta.dirname, '../..')
const recipes = readFileSync(join(root, 'docs/recipes.md'), 'utf8')

/** A user's folder, with the snippets as files. */
let folder: string
/** A key with the scope jobs:read, in the store that the environment names. */
let key: string
/** A key without it. */
let teams: string
const opened: (() => unknown)[] = []

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'recipes-')))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  vi.stubEnv('VANTAGE_KEY_STORE', `sqlite:${join(folder, 'keys.db')}`)
  vi.stubEnv('VANTAGE_ISSUER', 'https://issuer.invalid')
  const keyring = createKeyring(`sqlite:${join(folder, 'keys.db')}`)
  key = (await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })).key
  teams = (await keyring.create({ subject: 'user_123', scopes: ['teams:read'] })).key
  await keyring.close()
})
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

test('a verifier without a framework: accepts, refuses two header lines, and answers 403', async () => {
  const { server } = await snippet<{ server: Server }>('A verifier without a framework')
  const ask = await listen(server)
  expect(await ask('/', { authorization: `Bearer ${key}` })).toMatchObject({ status: 200, text: 'jobs of user_123' })
  expect(await ask('/')).toMatchObject({ status: 401, challenge: 'Bearer realm="jobs"' })
  const refused = await ask('/', { authorization: `Bearer ${teams}` })
  expect(refused).toMatchObject({ status: 403, type: 'application/json; charset=utf-8' })
  expect(refused.challenge).toMatch(/^Bearer realm="jobs", error="insufficient_scope", .* scope="jobs:read"$/)

  // The client of fetch would join the two lines.
  const { port } = server.address() as AddressInfo
  const line = ['Authorization', `Bearer ${key}`]
  const asked = request({ port, host: '127.0.0.1', headers: ['Host', 'localhost', ...line, ...line] })
  const [response] = (await once(asked.end(), 'response')) as [IncomingMessage]
  response.resume()
  expect([response.statusCode, response.headers['www-authenticate']]).toEqual([
    400,
    expect.stringContaining('realm="jobs", error="invalid_request"'),
  ])
})

test('@fastify/auth: another alternative, a key, and 503 for what cannot be decided', async () => {
  const { app } = await snippet<{ app: FastifyInstance }>('One route of Fastify', 'fastify', '@fastify/auth')
  opened.push(() => app.close())
  const ask = async (remoteAddress: string, credential?: string) => {
    const headers = credential === undefined ? {} : { authorization: `Bearer ${credential}` }
    const { statusCode, body } = await app.inject({ url: '/metrics', remoteAddress, headers })
    return statusCode === 200 ? body : statusCode
  }
  expect(await ask('127.0.0.1')).toBe('local')
  expect(await ask('192.0.2.1', key)).toBe('user_123')
  expect(await ask('192.0.2.1')).toBe(401)
  const { mint } = createTestIssuer({ issuer: 'https://issuer.invalid' })
  expect(await ask('192.0.2.1', mint())).toBe(503)
})

test('a prefix on Fastify: only what is below it needs a credential', async () => {
  const ask = await onFastify(await snippet('A prefix on Fastify'))
  expect(await ask('/healthz')).toMatchObject({ status: 200 })
  expect(await ask('/v1/jobs')).toMatchObject({ status: 401 })
  expect(await ask('/v1/none')).toMatchObject({ status: 401 })
  expect(await ask('/v1/jobs', { authorization: `Bearer ${key}` })).toMatchObject({ status: 200 })
})

test('readiness on Koa needs no credential', async () => {
  const ask = await onKoa(await snippet('Readiness on Koa'))
  expect(await ask('/readyz')).toMatchObject({ status: 503, text: 'not ready' })
  expect(await ask('/')).toMatchObject({ status: 401 })
})

describe('rate limits', () => {
  test('on Express count before authentication, and behind it by caller', async () => {
    const ask = await onExpress(await snippet('Rate limits before authentication', 'express'))
    const statuses = await statusesOf(301, () => ask('/v1/jobs'))
    expect([statuses[0], statuses[299], statuses[300]]).toEqual([401, 401, 429])
  })

  test('on Express count by caller behind authentication', async () => {
    const ask = await onExpress(await snippet('Rate limits before authentication', 'express'))
    const statuses = await statusesOf(101, () => ask('/v1/jobs', { authorization: `Bearer ${key}` }))
    expect([statuses[0], statuses[99], statuses[100]]).toEqual([200, 200, 429])
  })

  test('on Fastify count before authentication', async () => {
    const ask = await onFastify(await snippet('Rate limits before authentication', 'fastify'))
    const statuses = await statusesOf(301, () => ask('/v1/jobs'))
    expect([statuses[0], statuses[299], statuses[300]]).toEqual([401, 401, 429])
  })

  test('on Koa count before authentication', async () => {
    const ask = await onKoa(await snippet('Rate limits before authentication', 'koa'))
    const statuses = await statusesOf(301, () => ask('/v1/jobs'))
    expect([statuses[0], statuses[299], statuses[300]]).toEqual([401, 401, 429])
  })
})

test('CORS: a preflight passes, and scripts can read the challenge of a refusal', async () => {
  const { app } = await snippet<{ app: RequestListener }>('CORS')
  const url = await urlOf(createServer(app))
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { 'access-control-request-headers': 'authorization' },
  })
  expect(preflight.status).toBe(204)
  const refused = await fetch(url, { headers: { origin: 'https://app.example.com' } })
  expect([refused.status, refused.headers.get('access-control-expose-headers')]).toEqual([
    401,
    'WWW-Authenticate,Retry-After',
  ])
})

describe('problem details', () => {
  test.each([
    ['express', onExpress],
    ['koa', onKoa],
    ['fastify', onFastify],
  ] as const)('on %s are the answer of the mount and of a guard, with the challenge', async (framework, listen) => {
    const ask = await listen(await snippet('Problem details (RFC 9457)', framework))
    const refused = await ask('/v1/jobs', { authorization: 'Bearer nonsense' })
    expect(refused).toMatchObject({ status: 401, type: expect.stringContaining('application/problem+json') })
    expect(refused.challenge).toContain('error="invalid_token"')
    expect(JSON.parse(refused.text)).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: 'The access token provided is invalid',
    })
    expect(await ask('/v1/jobs', { authorization: `Bearer ${key}` })).toMatchObject({ status: 200, text: '[]' })
  })
})

test('browsers: a session stands for the token, and the header of the client counts for nothing', async () => {
  const browsers = await snippet<{ app: RequestListener; tokens: Map<string, string> }>('Browsers', 'express')
  browsers.tokens.set('s1', key)
  const ask = await onExpress(browsers)
  expect(await ask('/v1/jobs', { cookie: 'a=b; session=s1' })).toMatchObject({ status: 200 })
  expect(await ask('/v1/jobs', { cookie: 'session=s2', authorization: `Bearer ${key}` })).toMatchObject({ status: 401 })
})

test('a container: the commands in their order make a key, and then start a service that accepts it', async () => {
  const section = sectionOf('A container')
  const [, store = ''] = /^ENV VANTAGE_KEY_STORE=(\S+)$/m.exec(section) ?? []
  const commands = [...section.matchAll(/^docker run .* jobs(?: (.*))?$/gm)].map(([, command]) => command)
  expect(store).toMatch(/^sqlite:\/data\//)
  expect(commands).toEqual([expect.stringContaining('keys create'), undefined])

  const volume = mkdtempSync(join(folder, 'volume-'))
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'),
    VANTAGE_KEY_STORE: store.replace('/data', volume),
  }
  const run = async (...words: string[]) =>
    (
      await promisify(execFile)(process.execPath, ['--import', import.meta.resolve('tsx'), ...words], {
        cwd: folder,
        env,
      })
    ).stdout
  let made = ''
  for (const command of commands) {
    if (command !== undefined) {
      const [program, ...words] = command.split(' ')
      expect(program).toBe('node_modules/.bin/vantage-auth')
      made = (await run(join(root, 'src/cli/main.ts'), ...words)).trim()
    } else {
      const service = `import { createVerifier } from 'vantage-auth'
const verifier = createVerifier({ issuer: false })
console.log((await verifier.authenticate({ authorization: ${JSON.stringify(`Bearer ${made}`)} })).subject)
await verifier.close()`
      expect(await run('--input-type=module', '--eval', service)).toBe('user_123\n')
    }
  }
}, 60_000)

describe('the lines of an outage', () => {
  const lines = [...sectionOf('Outages').matchAll(/^vantage-auth: (.*)$/gm)].map(([, line = '']) => line)
  test('are those that a verifier writes', async () => {
    const closed = createServer()
    const issuer = await urlOf(closed)
    closed.close()
    const here = (line: string) =>
      line
        .replaceAll('https://sso.example.com', issuer)
        .replaceAll(/db\.example:5432|192\.0\.2\.7:5432/g, '127.0.0.1:1')
    const program = `import { createVerifier } from 'vantage-auth'
const verifier = createVerifier({ issuer: '${issuer}', audience: 'a', keys: 'postgres://service@127.0.0.1:1/keys' })
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = { iss: '${issuer}', aud: 'a', sub: 's', client_id: 'c', jti: 'j', iat: 1, exp: 4e9 }
const token = [part({ typ: 'at+jwt', alg: 'ES256', kid: 'k' }), part(claims), 'A'.repeat(86)].join('.')
for (const credential of [token, ${JSON.stringify(key)}]) {
  await verifier.authenticate({ authorization: 'Bearer ' + credential }).catch(() => {})
}
await verifier.close()`
    const words = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program]
    const env = { PATH: process.env.PATH, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') }
    const { stderr } = await promisify(execFile)(process.execPath, words, { cwd: folder, env })
    const expected = lines.filter((line) => !line.includes('is back')).map((line) => `vantage-auth: ${here(line)}`)
    expect(expected).toHaveLength(2)
    expect(stderr.trim().split('\n')).toEqual(expected)
  }, 60_000)

  test('end as it writes it', () => {
    const names = lines.flatMap((line) => /^(.*) is back after \d/.exec(line)?.[1] ?? [])
    expect(names).toHaveLength(2)
    const written: string[] = []
    const notices = createOutageNotices((line) => written.push(line))
    for (const name of names) {
      const notice = notices.about(name)
      notice.failed(new Error('x'))
      notice.answered()
    }
    notices.close()
    expect(written.filter((line) => line.includes('back'))).toEqual(names.map((name) => `${name} is back after 0.0 s`))
  })
})

describe('the log of pino', () => {
  test('tells who called and why somebody was refused, and no credential', async () => {
    const { lines, output } = await logOf({}, ['nonsense', key])
    expect(lines).toMatchObject([
      { code: 'ERR_VANTAGE_TOKEN_INVALID', reason: 'malformed', path: '/v1/jobs', msg: 'refused' },
      { kind: 'api_key', subject: 'user_123', path: '/v1/jobs' },
    ])
    expect(lines[0]).not.toHaveProperty('cause')
    expect(output).not.toContain(key.slice(-20))
  }, 60_000)

  test('tells the cause of a 503, without the password of the store', async () => {
    const store = 'postgres://service:hunter2@127.0.0.1:1/keys'
    const { lines, output } = await logOf({ VANTAGE_KEY_STORE: store }, [key])
    expect(lines).toMatchObject([
      {
        code: 'ERR_VANTAGE_UNAVAILABLE',
        reason: 'unavailable',
        credential: { kind: 'api_key' },
        cause: {
          type: 'KeyStoreError',
          message: expect.stringMatching(/at 127\.0\.0\.1:1 \(database "keys", role "service"\) .*ECONNREFUSED/),
          stack: expect.any(String),
        },
      },
    ])
    expect(output).not.toContain('hunter2')
    expect(output).not.toContain(key.slice(-20))
  }, 60_000)

  /** What the snippet writes, in a process of its own, when it is asked with each credential. */
  async function logOf(env: NodeJS.ProcessEnv, credentials: readonly string[]) {
    const file = fileOf('Logs with pino', 'express')
    const program = `import { app } from ${JSON.stringify(file)}
const server = app.listen(0, '127.0.0.1', async () => {
  for (const credential of ${JSON.stringify(credentials)}) {
    const url = 'http://127.0.0.1:' + server.address().port + '/v1/jobs'
    await (await fetch(url, { headers: { authorization: 'Bearer ' + credential } })).text()
  }
  process.exit()
})`
    const words = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program]
    const options = {
      cwd: folder,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'), ...env },
    }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, words, options)
    const lines: Record<string, unknown>[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    return { lines, output: stdout + stderr }
  }
})

/** The first snippet below a heading that imports the adapter, if one is named, and has a text besides. */
async function snippet<T>(heading: string, framework = '', beside = ''): Promise<T> {
  return (await import(fileOf(heading, framework, beside))) as T
}

function sectionOf(heading: string): string {
  return recipes.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
}

function fileOf(heading: string, framework: string, beside = ''): string {
  const codes = [...sectionOf(heading).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
  const code = codes.find((candidate) =>
    [framework && `'vantage-auth/${framework}'`, beside].every((text) => candidate.includes(text)),
  )
  if (code === undefined) throw new Error(`no snippet for ${framework} below ${heading}`)
  // A file of its own for each test: state in a module is not shared.
  const file = join(mkdtempSync(join(folder, 'snippet-')), 'snippet.ts')
  writeFileSync(file, code)
  return file
}

interface Answered {
  readonly status: number
  readonly text: string
  readonly type: string | null
  readonly challenge: string | null
}

type Ask = (path: string, headers?: Record<string, string>) => Promise<Answered>

const onExpress = ({ app }: { app: RequestListener }): Promise<Ask> => listen(createServer(app))
const onKoa = ({ app }: { app: Koa }): Promise<Ask> => listen(createServer(app.callback()))
async function onFastify({ app }: { app: FastifyInstance }): Promise<Ask> {
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  opened.push(() => app.close())
  return (path, headers = {}) => ask(url + path, headers)
}

async function listen(server: Server): Promise<Ask> {
  const url = await urlOf(server)
  return (path, headers = {}) => ask(url + path, headers)
}

async function urlOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function ask(url: string, headers: Record<string, string>): Promise<Answered> {
  const response = await fetch(url, { headers })
  return {
    status: response.status,
    text: await response.text(),
    type: response.headers.get('content-type'),
    challenge: response.headers.get('www-authenticate'),
  }
}

async function statusesOf(count: number, once: () => Promise<Answered>): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < count; n++) statuses.push((await once()).status)
  return statuses
}
