import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { USAGE } from '../../demo/arguments.js'
import { DOCUMENTED_SCOPES } from '../../src/core/scope.js'
import { freePortRange } from './page/ports.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const API_HOST = 'https://api.vantage.omnivector.solutions'
const AUTH_HOST = 'https://auth.vantage.omnivector.solutions'
const FRAMEWORKS = ['express', 'koa', 'fastify'] as const

const INVALID_TOKEN = '{"error":"invalid_token","error_description":"The access token provided is invalid"}'
const INSUFFICIENT_SCOPE =
  '{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided"}'
const JOBS = '{"jobs":[{"id":"job_1","name":"Nightly simulation"}]}'
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** The one line that `--json` prints. */
interface DemoLine {
  issuer: string
  api: Record<(typeof FRAMEWORKS)[number], string>
  console: string
  apiKey: string
  clientId: string
  clientSecret: string
  redirectUri: string
  accessToken: string
  endSession: string
}

/** A demo in a process of its own. */
interface DemoProcess {
  child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves when the output ends with this; rejects when the process ends first. */
  printed(end: string): Promise<string>
  /** Sends the signal, and resolves to the exit code and signal. */
  end(signal: NodeJS.Signals): Promise<[number | null, NodeJS.Signals | null]>
  exited: Promise<[number | null, NodeJS.Signals | null]>
}

// TMPDIR of the demos: one for those that a test ends itself and looks for traces of, one for those that many tests use.
// Not one for each, since the loader of TypeScript keeps its cache there.
let passing: string
let lasting: string
beforeAll(async () => {
  passing = await mkdtemp(join(tmpdir(), 'vantage-auth-passing-'))
  lasting = await mkdtemp(join(tmpdir(), 'vantage-auth-lasting-'))
})
afterAll(async () => {
  await endAll()
  await rm(passing, { recursive: true })
  await rm(lasting, { recursive: true })
})

const NODE = [process.execPath, '--import', 'tsx', 'demo/main.ts'] as const
const NPM = ['npm', 'run', '-s', 'demo', '--'] as const
const started: DemoProcess[] = []

function spawnDemo(
  folder: string,
  args: readonly string[],
  [command, ...before]: readonly string[] = NODE,
): DemoProcess {
  const child = spawn(command as string, [...before, ...args], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'close') as DemoProcess['exited']
  const demo: DemoProcess = {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    async printed(end) {
      const ended = exited.then(([code]) => Promise.reject(new Error(`The demo ended with ${code}: ${stderr}`)))
      ended.catch(() => {}) // it ends in time, when it has printed that already
      while (!stdout.endsWith(end)) await Promise.race([once(child.stdout, 'data'), ended])
      return stdout
    },
    end(signal) {
      child.kill(signal)
      return exited
    },
  }
  started.push(demo)
  return demo
}

async function endAll(): Promise<void> {
  const running = started.splice(0).filter(({ child }) => child.exitCode === null && child.signalCode === null)
  for (const exit of await Promise.all(running.map((demo) => demo.end('SIGTERM')))) expect(exit).toEqual([0, null])
}

/** A demo that runs, and the one line that it printed. */
async function spawnJsonDemo(folder: string, args: readonly string[] = [], command: readonly string[] = NODE) {
  const demo = spawnDemo(folder, ['--json', ...args], command)
  return { demo, line: JSON.parse(await demo.printed('\n')) as DemoLine }
}

/** The temporary folders of demos that have not removed theirs. */
async function traces(): Promise<string[]> {
  return (await readdir(passing)).filter((name) => name.startsWith('vantage'))
}

const run = promisify(execFile)

/** Runs text as if it were pasted into a shell. */
async function paste(text: string, shell = 'bash', env: NodeJS.ProcessEnv = {}): Promise<string> {
  const pending = run(shell, ['-s'], { env: { ...process.env, ...env } })
  pending.child.stdin?.end(text)
  return (await pending).stdout
}

function addressesOf(line: DemoLine): string[] {
  return [line.issuer, ...Object.values(line.api), line.console]
}

/** What answers on these ports; nothing should, after a demo ended. */
async function openPorts(line: DemoLine): Promise<string[]> {
  const urls = addressesOf(line)
  const open = await Promise.all(
    urls.map(
      (url) =>
        new Promise<string[]>((resolve) => {
          const socket = connect(Number(new URL(url).port), '127.0.0.1')
          socket.once('connect', () => resolve([url]))
          socket.once('error', () => resolve([]))
          socket.once('connect', () => socket.destroy())
        }),
    ),
  )
  return open.flat()
}

interface Page {
  curl: { apiKey: string; exchange: string; accessToken: string; clientCredentials: string; authTest: string }
  authorizeUrl: string
  json: { unauthorized: object; forbidden: object; authTest: Record<string, unknown> }
}

/** The code blocks of the product page, none left out. */
async function readPage(): Promise<Page> {
  const text = await readFile(new URL('page/authentication.md', import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language, code }))
  expect(blocks.map(({ language }) => language)).toEqual([
    'bash', // API key
    'http', // authorize
    'bash', // exchange
    'bash', // use the access token
    'bash', // client credentials
    'json', // 401
    'json', // 403
    'bash', // /v1/auth/test
    'json', // its answer
  ])
  const code = blocks.map((block) => block.code as string)
  const [apiKey, authorize, exchange, accessToken, clientCredentials, unauthorized, forbidden, authTest, answer] =
    code as [string, string, string, string, string, string, string, string, string]
  return {
    curl: { apiKey, exchange, accessToken, clientCredentials, authTest },
    // Broken into lines to be read.
    authorizeUrl: authorize.replace(/\s+/g, ''),
    json: {
      unauthorized: JSON.parse(unauthorized),
      forbidden: JSON.parse(forbidden),
      authTest: JSON.parse(answer),
    },
  }
}

describe('the product page', () => {
  let page: Page
  let line: DemoLine
  let demo: DemoProcess
  let curlHome: string
  beforeAll(async () => {
    page = await readPage()
    ;({ demo, line } = await spawnJsonDemo(lasting))
    // The page's commands stay as they are: curl is told here to add the status to what it prints.
    curlHome = await mkdtemp(join(tmpdir(), 'vantage-auth-curlrc-'))
    await writeFile(join(curlHome, '.curlrc'), 'silent\nwrite-out = "\\n%{http_code} %header{www-authenticate}"\n')
  })
  afterAll(() => rm(curlHome, { recursive: true }))

  /** Fills in the hosts and the placeholders, and nothing else. */
  function fillIn(text: string, api: string, values: Record<string, string>): string {
    let filled = text.replaceAll(API_HOST, api).replaceAll(AUTH_HOST, line.issuer)
    for (const [placeholder, value] of Object.entries(values)) filled = filled.replaceAll(placeholder, value)
    expect(filled).not.toMatch(/omnivector|YOUR_|ACCESS_TOKEN|AUTHORIZATION_CODE|RANDOM_/)
    return filled
  }

  async function curl(command: string): Promise<{ status: number; challenge: string; body: string }> {
    const output = await paste(command, 'bash', { CURL_HOME: curlHome })
    const [, body, status, challenge] = /^([\s\S]*)\n(\d{3}) (.*)$/.exec(output) as string[] as [string, ...string[]]
    return { status: Number(status), challenge: challenge as string, body: body as string }
  }

  const clientValues = () => ({
    YOUR_CLIENT_ID: line.clientId,
    YOUR_CLIENT_SECRET: line.clientSecret,
    YOUR_REDIRECT_URI: line.redirectUri,
  })

  async function clientCredentialsToken(): Promise<string> {
    const { body } = await curl(fillIn(page.curl.clientCredentials, line.api.express, clientValues()))
    return (JSON.parse(body) as { access_token: string }).access_token
  }

  test('prints its addresses and credentials on one line, and nothing else', () => {
    expect(demo.stderr()).toBe('')
    expect(demo.stdout().trimEnd()).not.toContain('\n')
    expect(line).toEqual({
      issuer: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      api: Object.fromEntries(FRAMEWORKS.map((name) => [name, expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)])),
      console: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/settings\/api-keys$/),
      apiKey: expect.stringMatching(/^vak_live_[0-9A-Za-z]{61}$/),
      clientId: expect.any(String),
      clientSecret: expect.any(String),
      redirectUri: `${line.issuer}/callback`,
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      endSession: `${line.issuer}/demo/end-session`,
    })
  })

  test('ends the session of its access token, which all three APIs refuse from then on, and no other', async () => {
    const other = await clientCredentialsToken()
    const statuses = (credential: string) =>
      Promise.all(
        FRAMEWORKS.map(async (framework) => {
          const response = await fetch(`${line.api[framework]}/v1/jobs`, {
            headers: { authorization: `Bearer ${credential}` },
          })
          await response.text()
          return response.status
        }),
      )
    for (const credential of [line.accessToken, other, line.apiKey]) {
      expect(await statuses(credential)).toEqual([200, 200, 200])
    }
    const ended = await fetch(line.endSession, { method: 'POST' })
    expect([ended.status, await ended.json()]).toEqual([200, { ended: expect.any(Number) }])
    expect(await statuses(line.accessToken)).toEqual([401, 401, 401])
    for (const credential of [other, line.apiKey]) expect(await statuses(credential)).toEqual([200, 200, 200])
  })

  describe.each(FRAMEWORKS)('on %s', (framework) => {
    test('answers the call with an API key', async () => {
      const command = fillIn(page.curl.apiKey, line.api[framework], { YOUR_API_KEY: line.apiKey })
      expect(await curl(command)).toEqual({ status: 200, challenge: '', body: JOBS })
    })

    test('leads from the authorize address to a token and an answer', async () => {
      const api = line.api[framework]
      const url = fillIn(page.authorizeUrl, api, { ...clientValues(), RANDOM_STATE_STRING: 'a-random-state' })
      const redirect = new URL(await paste(`curl -s -o /dev/null -w '%{redirect_url}' '${url}'`))
      expect(redirect.href.startsWith(`${line.redirectUri}?`)).toBe(true)
      expect(redirect.searchParams.get('state')).toBe('a-random-state')

      const code = redirect.searchParams.get('code') as string
      const command = fillIn(page.curl.exchange, api, { ...clientValues(), AUTHORIZATION_CODE: code })
      const { status, body } = await curl(command)
      expect({ status, ...JSON.parse(body) }).toEqual({
        status: 200,
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'jobs:read clusters:read',
      })

      const token = (JSON.parse(body) as { access_token: string }).access_token
      const answer = await curl(fillIn(page.curl.accessToken, api, { ACCESS_TOKEN: token }))
      expect(answer).toEqual({ status: 200, challenge: '', body: JOBS })
    })

    test('answers with a token of the client credentials flow', async () => {
      const token = await clientCredentialsToken()
      const answer = await curl(fillIn(page.curl.accessToken, line.api[framework], { ACCESS_TOKEN: token }))
      expect(answer).toEqual({ status: 200, challenge: '', body: JOBS })
    })

    test('answers the documented 401', async () => {
      const command = fillIn(page.curl.apiKey, line.api[framework], { YOUR_API_KEY: 'wrong' })
      expect(JSON.stringify(page.json.unauthorized)).toBe(INVALID_TOKEN)
      expect(await curl(command)).toEqual({
        status: 401,
        challenge:
          'Bearer realm="vantage", error="invalid_token", error_description="The access token provided is invalid"',
        body: INVALID_TOKEN,
      })
    })

    test.each(['API key', 'access token'])('answers the documented 403 to an %s without the scope', async (kind) => {
      const credential = kind === 'API key' ? line.apiKey : await clientCredentialsToken()
      const command = fillIn(page.curl.apiKey, line.api[framework], { YOUR_API_KEY: credential })
      expect(JSON.stringify(page.json.forbidden)).toBe(INSUFFICIENT_SCOPE)
      expect(await curl(command.replace('curl ', 'curl -X POST '))).toEqual({
        status: 403,
        challenge:
          'Bearer realm="vantage", error="insufficient_scope", error_description="The request requires higher privileges than provided", scope="jobs:write"',
        body: INSUFFICIENT_SCOPE,
      })
    })

    test('answers /v1/auth/test as documented', async () => {
      const command = fillIn(page.curl.authTest, line.api[framework], { YOUR_API_KEY: line.apiKey })
      const { status, body } = await curl(command)
      const { expires_at } = JSON.parse(body) as { expires_at: string }
      expect(status).toBe(200)
      expect(expires_at).toMatch(INSTANT)
      expect(body).toBe(JSON.stringify({ ...page.json.authTest, expires_at }))
    })

    test.each(DOCUMENTED_SCOPES)('lets a token with %s do that and nothing else', async (scope) => {
      const issuer = await discover(line)
      const { access_token: token } = await client.clientCredentialsGrant(issuer, { scope })
      const statuses: Record<string, number> = {}
      for (const other of DOCUMENTED_SCOPES) {
        const [resource, action] = other.split(':') as [string, string]
        const response = await fetch(`${line.api[framework]}/v1/${resource}`, {
          method: action === 'read' ? 'GET' : 'POST',
          headers: { authorization: `Bearer ${token}` },
        })
        await response.text()
        statuses[other] = response.status
      }
      const permitted = scope.endsWith(':read') ? 200 : 201
      expect(statuses).toEqual(
        Object.fromEntries(DOCUMENTED_SCOPES.map((other) => [other, other === scope ? permitted : 403])),
      )
    })

    test('accepts a body of any type, and says who created what', async () => {
      const { access_token: token } = await client.clientCredentialsGrant(await discover(line), { scope: 'jobs:write' })
      for (const contentType of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
        const response = await fetch(`${line.api[framework]}/v1/jobs`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
          body: '{',
        })
        expect(await response.text()).toBe(
          `{"id":"job_1","name":"Nightly simulation","created_by":${JSON.stringify(line.clientId)}}`,
        )
        expect(response.status).toBe(201)
      }
    })

    test.each(['oauth2', 'oidc'] as const)('serves openid-client, which discovers by %s', async (algorithm) => {
      const issuer = await discover(line, algorithm)
      const url = client.buildAuthorizationUrl(issuer, {
        redirect_uri: line.redirectUri,
        scope: 'jobs:read clusters:read',
        state: 'a-state',
      })
      const redirect = await fetch(url, { redirect: 'manual' })
      await redirect.text()
      const tokens = await client.authorizationCodeGrant(issuer, new URL(redirect.headers.get('location') as string), {
        expectedState: 'a-state',
      })
      const answer = await fetch(`${line.api[framework]}/v1/auth/test`, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      })
      expect(await answer.json()).toEqual({
        authenticated: true,
        user_id: 'user_123',
        scopes: ['jobs:read', 'clusters:read'],
        expires_at: expect.stringMatching(INSTANT),
      })
    })
  })
})

function discover(line: DemoLine, algorithm: 'oauth2' | 'oidc' = 'oauth2'): Promise<client.Configuration> {
  return client.discovery(new URL(line.issuer), line.clientId, line.clientSecret, undefined, {
    algorithm,
    execute: [client.allowInsecureRequests],
  })
}

const LAST_COMMAND = '/v1/auth/test\n'

describe('the commands that the demo prints', () => {
  let demo: DemoProcess
  let interactive: DemoProcess
  let commands: string
  let interactiveCommands: string
  beforeAll(async () => {
    demo = spawnDemo(lasting, [])
    interactive = spawnDemo(lasting, ['--interactive'])
    commands = await demo.printed(LAST_COMMAND)
    interactiveCommands = await interactive.printed(LAST_COMMAND)
  })

  test.each(['bash', 'sh'])('work as they stand, pasted into %s', async (shell) => {
    const answers = (await paste(commands, shell)).trimEnd().split('\n')
    const token = {
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'jobs:read clusters:read',
    }
    expect(answers).toHaveLength(14)
    const [withKey, code, exchanged, withToken, credentials, bad, badStatus, denied, deniedStatus, ...rest] =
      answers as [string, ...string[]]
    const [ended, onExpress, onKoa, onFastify, self] = rest
    expect(withKey).toBe(JOBS)
    expect(code).toMatch(/^[\w-]{20,}$/)
    expect(JSON.parse(exchanged as string)).toEqual(token)
    expect(withToken).toBe(JOBS)
    expect(JSON.parse(credentials as string)).toEqual(token)
    expect([bad, badStatus]).toEqual([INVALID_TOKEN, '401'])
    expect([denied, deniedStatus]).toEqual([INSUFFICIENT_SCOPE, '403'])
    expect(ended).toMatch(/^\{"ended":[1-9]\}$/)
    expect([onExpress, onKoa, onFastify]).toEqual(['401', '401', '401'])
    expect(JSON.parse(self as string)).toEqual({
      authenticated: true,
      user_id: 'user_123',
      scopes: ['jobs:read', 'clusters:read'],
      expires_at: expect.stringMatching(INSTANT),
    })
    expect(demo.stderr()).toBe('')
  })

  test('fit into 100 columns, under comments that no shell takes for anything else', () => {
    const lines = `${commands}${interactiveCommands}`.split('\n')
    expect(lines.filter((line) => line.length > 100)).toEqual([])
    expect(lines.filter((line) => line.startsWith('#') && /['"`$&|;<>()[\]{}*?!\\]/.test(line))).toEqual([])
  })

  test('take the code from a browser with --interactive, and send no request without it', async () => {
    const [upToAddress, rest] = interactiveCommands.split(/(?<=echo "\$AUTHORIZE_URL"\n)/) as [string, string]
    const address = (await paste(upToAddress)).trimEnd().split('\n').at(-1) as string
    const browser = await mkdtemp(join(tmpdir(), 'vantage-auth-browser-'))
    try {
      const jar = `-b ${browser}/jar -c ${browser}/jar`
      const html = await paste(`curl -s -L ${jar} '${address}' -w '%{url_effective}'`)
      const [, csrf] = /name="csrf" value="([^"]+)"/.exec(html) as unknown as [string, string]
      const form = html.slice(html.lastIndexOf('http://'))
      const code = await paste(`curl -s -L ${jar} -d csrf=${csrf} -d account=ada -d decision=allow '${form}'`)
      expect(code).toMatch(/^CODE=[\w-]+\n$/)
      const answers = (await paste(code + rest)).trimEnd().split('\n')
      expect(JSON.parse(answers[0] as string)).toMatchObject({ scope: 'jobs:read clusters:read' })
      expect(answers[1]).toBe(JOBS)
    } finally {
      await rm(browser, { recursive: true })
    }
    await expect(paste(`set -e\n${rest}`)).rejects.toMatchObject({
      stderr: expect.stringContaining('paste the line that the browser shows first'),
    })
    expect(interactive.stderr()).toBe('')
  })
})

describe('npm run demo', () => {
  test.each([
    { started: 'by itself', command: NODE, signal: 'SIGINT' },
    { started: 'by itself', command: NODE, signal: 'SIGHUP' },
    { started: 'by npm', command: NPM, signal: 'SIGINT' },
    { started: 'by npm', command: NPM, signal: 'SIGTERM' },
  ] as const)('started $started, ends cleanly on $signal, also when it comes twice', async ({ command, signal }) => {
    const { demo, line } = await spawnJsonDemo(passing, [], command)
    expect(await traces()).toHaveLength(1)
    // Sockets that a client keeps open do not hold it up.
    const sockets = addressesOf(line).map((url) =>
      connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {}),
    )
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    demo.child.kill(signal)
    expect(await demo.end(signal)).toEqual([0, null])
    expect(await traces()).toEqual([])
    expect(await openPorts(line)).toEqual([])
    expect(demo.stderr()).toBe('')
  })

  test('listens on --port and the four after it', async () => {
    const port = await freePortRange()
    const { demo, line } = await spawnJsonDemo(passing, ['--port', String(port)])
    expect(addressesOf(line).map((url) => new URL(url).origin)).toEqual(
      [0, 1, 2, 3, 4].map((offset) => `http://127.0.0.1:${port + offset}`),
    )
    await demo.end('SIGTERM')
  })

  test('names a taken port and the cure, and leaves nothing behind', async () => {
    const port = await freePortRange()
    const other = createServer().listen(port + 2, '127.0.0.1')
    await once(other, 'listening')
    try {
      const demo = spawnDemo(passing, ['--json', '--port', String(port)])
      expect(await demo.exited).toEqual([1, null])
      expect(demo.stdout()).toBe('')
      expect(demo.stderr()).toBe(
        `Port ${port + 2} is taken. End what listens there, or choose others: npm run demo -- --port N\n`,
      )
      expect(await traces()).toEqual([])
    } finally {
      other.close()
    }
  })

  test('explains its usage on stderr and exits with 2 for a flag that it does not know', async () => {
    const demo = spawnDemo(passing, ['--nonsense'])
    expect(await demo.exited).toEqual([2, null])
    expect(demo.stdout()).toBe('')
    expect(demo.stderr()).toContain("'--nonsense'")
    expect(demo.stderr()).toContain(USAGE)
  })

  test('explains its usage on stdout for --help', async () => {
    const demo = spawnDemo(passing, ['--help'])
    expect(await demo.exited).toEqual([0, null])
    expect(demo.stderr()).toBe('')
    expect(demo.stdout()).toBe(USAGE)
  })
})
