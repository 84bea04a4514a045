import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readArguments } from '../../demo/arguments.js'
import { startDemo } from '../../demo/start.js'
import { freePortRange } from './page/ports.js'

describe('startDemo', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vantage-auth-demo-test-'))
    vi.stubEnv('TMPDIR', folder)
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  })

  test.each([0, 1, 2, 3, 4])('closes what it had started when the port %i after the first is taken', async (offset) => {
    const port = await freePortRange()
    const other = createServer().listen(port + offset, '127.0.0.1')
    await once(other, 'listening')
    await expect(startDemo({ port, interactive: false })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      port: port + offset,
    })
    await once(other.close(), 'close')
    expect(await readdir(folder)).toEqual([])
    const demo = await startDemo({ port, interactive: false })
    expect(demo.api.fastify).toBe(`http://127.0.0.1:${port + 3}`)
    expect(demo.console).toBe(`http://127.0.0.1:${port + 4}/settings/api-keys`)
    await demo.close()
  })

  test('removes its key store when it closes, once or twice', async () => {
    const demo = await startDemo({ interactive: false })
    expect(await readdir(folder)).toHaveLength(1)
    await Promise.all([demo.close(), demo.close()])
    expect(await readdir(folder)).toEqual([])
    await expect(fetch(demo.issuer)).rejects.toThrow()
  })

  test.each([
    ['VANTAGE_ENVIRONMENT', 'test'],
    ['VANTAGE_ISSUER', 'https://other.example'],
    ['VANTAGE_AUDIENCE', 'https://other.example'],
    ['VANTAGE_KEY_STORE', 'sqlite:/nowhere/keys.db'],
    ['VANTAGE_JWKS_URI', 'https://other.example/jwks'],
  ])('does not depend on %s', async (variable, value) => {
    vi.stubEnv(variable, value)
    const demo = await startDemo({ interactive: false })
    try {
      const { access_token } = (await (
        await fetch(`${demo.issuer}/oauth/token`, {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'client_credentials',
            client_id: demo.clientId,
            client_secret: demo.clientSecret,
            scope: 'jobs:read',
          }),
        })
      ).json()) as { access_token: string }
      for (const credential of [demo.apiKey, access_token]) {
        const answer = await fetch(`${demo.api.koa}/v1/jobs`, { headers: { authorization: `Bearer ${credential}` } })
        expect(answer.status).toBe(200)
      }
    } finally {
      await demo.close()
      vi.stubEnv(variable, undefined)
    }
  })
})

describe('readArguments', () => {
  test('shows no page, prints commands and takes free ports unless told otherwise', () => {
    expect(readArguments([])).toEqual({ interactive: false, json: false, help: false })
  })

  test('reads each flag', () => {
    expect(readArguments(['--interactive', '--json', '-h', '--port', '65531'])).toEqual({
      interactive: true,
      json: true,
      help: true,
      port: 65531,
    })
  })

  test.each(['0', '65532', '-1', '1e3', '80.5', 'abc', '', ' 8080'])('refuses "%s" as a port', (port) => {
    expect(() => readArguments([`--port=${port}`])).toThrow('--port takes a number from 1 to 65531')
  })

  test.each([[['--nonsense']], [['argument']], [['--port']], [['--json=yes']], [['-x']]])('refuses %j', (args) => {
    expect(() => readArguments(args)).toThrow()
  })
})
