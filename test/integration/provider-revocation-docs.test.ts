import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createKeyring } from 'vantage-auth'
import { createTestIssuer } from 'vantage-auth/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type IssuerProcess, startIssuer } from '../support/issuer-server.js'
import { until } from '../support/until.js'

const root = resolve(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/provider-revocation.md'), 'utf8')
const steps = page.split(/^## /m).find((part) => part.startsWith('Five minutes\n')) ?? ''

/** What stands in the page, and is another one here. */
const ISSUER = 'https://sso.example.com/realms/main'

let provider: IssuerProcess
let issuer: ReturnType<typeof createTestIssuer>
let folder: string
let child: ChildProcess | undefined

beforeAll(async () => {
  provider = await startIssuer()
  issuer = createTestIssuer({ issuer: provider.url })
  await provider.order({ keys: issuer.jwks.keys })
})
afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})
afterAll(() => provider.close())

describe.each(['express', 'koa', 'fastify'])('the example on %s', (framework) => {
  test('refuses a token whose session has ended at the provider', async () => {
    const url = await start(framework)
    const token = issuer.mint({ aud: 'api', sub: 'u1', sid: 's1' })
    expect(await ask(url, token)).toBe(200)

    expect((await fetch(`${url}/events`)).status).toBe(405)
    const nothing = await fetch(`${url}/events`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: 'none' }),
    })
    expect([nothing.status, await nothing.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_request' })])

    const body = new URLSearchParams({ logout_token: logoutToken('s1') })
    expect((await fetch(`${url}/events`, { method: 'POST', body })).status).toBe(200)
    await until(async () => (await ask(url, token)) === 401)
    expect(await ask(url, issuer.mint({ aud: 'api', sub: 'u1', sid: 's2' }))).toBe(200)
  }, 60_000)
})

/** Runs an example of the page as a user would: in a folder with a store, with nothing in the environment. */
async function start(framework: string): Promise<string> {
  const codes = [...steps.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
  const code = codes.find((one) => one.includes(`'vantage-auth/${framework}'`)) ?? ''
  expect(code).toContain(ISSUER)
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'provider-revocation-')))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const keyring = createKeyring(`sqlite:${join(folder, 'keys.db')}`)
  await keyring.create({ subject: 'u1', scopes: ['jobs:read'] })
  await keyring.close()
  const port = await freePort()
  const file = join(folder, 'example.ts')
  writeFileSync(file, code.replaceAll(ISSUER, provider.url).replaceAll('3000', String(port)))
  const env = { PATH: process.env.PATH, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') }
  const started = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file], { cwd: folder, env })
  child = started
  let output = ''
  started.stderr.on('data', (part) => {
    output += part
  })
  const url = `http://127.0.0.1:${port}`
  await until(async () => {
    if (started.exitCode !== null) throw new Error(output)
    return fetch(url).then(
      () => true,
      () => false,
    )
  }, 30_000)
  return url
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function ask(url: string, token: string): Promise<number> {
  const response = await fetch(`${url}/v1/jobs`, { headers: { authorization: `Bearer ${token}` } })
  await response.text()
  return response.status
}

function logoutToken(sid: string): string {
  const claims = { aud: 'web-app', sub: 'u1', client_id: undefined, scope: undefined, sid }
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  return issuer.mint({ ...claims, events }, { typ: 'logout+jwt' })
}
