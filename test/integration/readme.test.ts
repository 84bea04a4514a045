import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The code of one fenced block, and the heading or sentence above it. */
interface Block {
  readonly language: string
  readonly code: string
}

const blocks: readonly Block[] = [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
  ([, language = '', code = '']) => ({
    language,
    code,
  }),
)
const typescript = blocks.filter(({ language }) => language === 'ts').map(({ code }) => code)
const bash = blocks.filter(({ language }) => language === 'bash').map(({ code }) => code)

/** A user's folder: the snippets as files, the package and the frameworks as its dependencies. */
let folder: string

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'readme-')))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [index, code] of typescript.entries()) writeFileSync(join(folder, `snippet-${index}.ts`), code)
  // `npx vantage-auth` as an installed package would answer it.
  mkdirSync(join(folder, 'bin'))
  writeFileSync(
    join(folder, 'bin', 'npx'),
    `#!/bin/sh\n[ "$1" = vantage-auth ] && shift && exec "${process.execPath}" --import "${tsxPath()}" "${join(root, 'src/cli/main.ts')}" "$@"\nexit 9\n`,
  )
  chmodSync(join(folder, 'bin', 'npx'), 0o755)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function tsxPath(): string {
  return import.meta.resolve('tsx')
}

test('has code to check', () => {
  expect(typescript.length).toBeGreaterThanOrEqual(9)
  expect(bash.length).toBeGreaterThanOrEqual(5)
})

describe.each(['express', 'koa', 'fastify'])('the first route on %s', (framework) => {
  test(`takes ${framework} no more than 15 lines`, () => {
    expect(firstRoute(framework).trim().split('\n').length).toBeLessThanOrEqual(15)
  })

  test('answers the key that the README makes, with the commands as they stand', { timeout: 180_000 }, async () => {
    const port = await freePort()
    const cwd = mkdtempSync(join(folder, `${framework}-`))
    const makeKey = bash.find((code) => code.includes('keys create --subject user_123')) ?? ''
    const call = (bash.find((code) => code.startsWith('curl')) ?? '').replaceAll('3000', String(port))
    const app = join(folder, `route-${framework}.ts`)
    writeFileSync(app, firstRoute(framework).replaceAll('3000', String(port)))

    const { stdout: key } = await inBash(`${makeKey}\necho "$KEY"`, cwd)
    const service = startService(app, cwd)
    try {
      await untilListening(service, port)
      const tested = await inBash(call, cwd, { KEY: key.trim() })
      expect(JSON.parse(tested.stdout)).toMatchObject({
        authenticated: true,
        user_id: 'user_123',
        scopes: ['jobs:read', 'clusters:read'],
      })
      const jobs = await fetch(`http://localhost:${port}/v1/jobs`, {
        headers: { authorization: `Bearer ${key.trim()}` },
      })
      expect([jobs.status, await jobs.json()]).toEqual([200, { jobs: [], for: 'user_123' }])
      const nobody = await fetch(`http://localhost:${port}/v1/jobs`)
      expect(nobody.status).toBe(401)
    } finally {
      await stop(service)
    }
  })
})

test('the readiness example on Fastify needs no credential, and says 503 while the issuer is out of reach', {
  timeout: 180_000,
}, async () => {
  const code = typescript.find((code) => code.includes('createVerifier()')) ?? ''
  const port = await freePort()
  const cwd = mkdtempSync(join(folder, 'ready-'))
  const app = join(folder, 'ready.ts')
  writeFileSync(app, code.replaceAll('3000', String(port)))
  const { stdout } = await inBash('npx vantage-auth keys create --subject user_123 --scopes jobs:read', cwd)
  const service = startService(app, cwd)
  try {
    await untilListening(service, port)
    // The documented issuer is out of reach of a test.
    const ready = await fetch(`http://localhost:${port}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, 'not ready'])
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`http://localhost:${port}/v1/auth/test`, { headers })).status
    expect(await ask({})).toBe(401)
    expect(await ask({ authorization: `Bearer ${stdout.trim()}` })).toBe(200)
  } finally {
    await stop(service)
  }
})

test('runs the key commands and the keyring snippet as they stand', { timeout: 180_000 }, async () => {
  const cwd = mkdtempSync(join(folder, 'keys-'))
  const commands = bash.find((code) => code.includes("--name 'nightly build'")) ?? ''
  const { stdout } = await inBash(commands, cwd)
  expect(stdout).toMatch(/^vak_live_[0-9A-Za-z]{61}$/m)
  expect(stdout).toContain('nightly build')

  const index = typescript.findIndex((code) => code.includes('createKeyring('))
  const ran = await promisify(execFile)(
    process.execPath,
    ['--import', tsxPath(), join(folder, `snippet-${index}.ts`)],
    {
      cwd,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
    },
  )
  expect(ran.stdout.trim().split('\n')).toEqual([
    expect.stringMatching(/^vak_live_[0-9A-Za-z]{61}$/),
    expect.stringMatching(/^vak_live_[0-9A-Za-z]{61}$/),
  ])
})

test('the forwardErrors example answers in its own format also for routes that are added later', async () => {
  const cwd = mkdtempSync(join(folder, 'forwarded-'))
  const index = typescript.findIndex((code) => code.includes('forwardErrors: true'))
  const port = await freePort()
  const main = join(folder, 'forwarded.ts')
  writeFileSync(
    main,
    `import { app, routes } from './snippet-${index}.ts'
     import { InsufficientScopeError } from 'vantage-auth'
     import { requireScope } from 'vantage-auth/express'
     routes.get('/later', requireScope('teams:write'))
     routes.get('/thrown', () => { throw new InsufficientScopeError('vantage', ['teams:write']) })
     app.listen(${port})`,
  )
  const { stdout } = await inBash('npx vantage-auth keys create --subject user_123 --scopes jobs:read', cwd)
  const service = startService(main, cwd)
  try {
    await untilListening(service, port)
    const ask = async (path: string, headers: Record<string, string>) => {
      const answer = await fetch(`http://localhost:${port}${path}`, { headers })
      return [answer.status, await answer.json()]
    }
    const authorization = `Bearer ${stdout.trim()}`
    const problem = (error: string) => ({ problem: { error, error_description: expect.any(String) } })
    expect(await ask('/v1/jobs', { authorization })).toEqual([200, { jobs: [] }])
    expect(await ask('/nowhere', {})).toEqual([401, problem('invalid_token')])
    expect(await ask('/later', { authorization })).toEqual([403, problem('insufficient_scope')])
    expect(await ask('/thrown', { authorization })).toEqual([403, problem('insufficient_scope')])
  } finally {
    await stop(service)
  }
}, 180_000)

test('names only scripts that exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md'].map((name) =>
    readFileSync(join(root, name), 'utf8'),
  )
  const named = documents.flatMap((text) => [...text.matchAll(/npm run (?:-s )?([\w:]+)/g)].map(([, name]) => name))
  expect(named.length).toBeGreaterThan(3)
  expect(named.filter((name) => name !== undefined && !(name in scripts))).toEqual([])
})

function firstRoute(framework: string): string {
  const found = typescript.find((code) => code.includes(`vantage-auth/${framework}'`) && code.includes('getAuth('))
  if (found === undefined) throw new Error(`the README has no first route for ${framework}`)
  return found
}

function startService(file: string, cwd: string): ChildProcess {
  return spawn(process.execPath, ['--import', tsxPath(), file], {
    cwd,
    env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

async function untilListening(service: ChildProcess, port: number): Promise<void> {
  let problems = ''
  service.stderr?.on('data', (chunk: Buffer) => {
    problems += chunk.toString()
  })
  for (let attempt = 0; attempt < 200; attempt++) {
    if (service.exitCode !== null) break
    const answered = await fetch(`http://localhost:${port}/`).then(
      () => true,
      () => false,
    )
    if (answered) return
    await sleep(100)
  }
  throw new Error(`the service did not start: ${problems}`)
}

async function stop(service: ChildProcess): Promise<void> {
  if (service.exitCode !== null) return
  service.kill('SIGKILL')
  await once(service, 'exit')
}

function inBash(script: string, cwd: string, env: Record<string, string> = {}) {
  return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, ...env },
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
