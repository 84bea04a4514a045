import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type Koa from 'koa'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const SIGNED_IN = { cookie: 'user=ada' }
/** Sends a request of the path and with the headers that are given. */
type Send = (path: string, init?: RequestInit) => Promise<Response>

/** A user's folder, with the snippets as files. */
let folder: string
const opened: (() => unknown)[] = []
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'console-docs-')))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
})
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each<[string, string, string, (code: never) => Promise<Send> | Send]>([
  ['README.md', 'The console', 'express', ({ server }: { server: Server }) => overHttp(server)],
  [
    'docs/console.md',
    'Mount it',
    'express',
    ({ app }: { app: RequestListener }) => overHttp(createServer(app).listen()),
  ],
  ['docs/console.md', 'Mount it', 'koa', ({ app }: { app: Koa }) => overHttp(app.listen())],
  ['docs/console.md', 'Mount it', 'fastify', overFastify],
  ['docs/console.md', 'Mount it', 'keyConsole.fetch', overFetch],
])('%s, %s: %s', (document, heading, framework, open) => {
  test('sends nobody to sign in, and shows the keys of its tenant to somebody', async () => {
    const send = await open((await import(fileOf(document, heading, framework))) as never)
    const mount = '/settings/api-keys'
    const page = { headers: { accept: 'text/html' }, redirect: 'manual' } as const
    const nobody = await send(`${mount}/`, page)
    expect([nobody.status, nobody.headers.get('location')]).toEqual([
      303,
      `/sign-in?return_to=${encodeURIComponent(mount)}`,
    ])
    expect((await send(`${mount}/api/keys`)).status).toBe(401)

    const somebody = await send(`${mount}/`, { ...page, headers: { ...page.headers, ...SIGNED_IN } })
    expect([somebody.status, await somebody.text()]).toEqual([200, expect.stringContaining('<script type="module"')])
    const made = await send(`${mount}/api/keys`, {
      method: 'POST',
      headers: { ...SIGNED_IN, 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      body: JSON.stringify({ scopes: ['jobs:read'] }),
    })
    const { record } = (await made.json()) as { record: object }
    expect(made.status).toBe(201)
    expect(record).toMatchObject({ subject: 'ada', tenant: 'acme', createdBy: 'ada' })
    const list = await send(`${mount}/api/keys`, { headers: SIGNED_IN })
    expect(await list.json()).toMatchObject({ keys: [record] })
  })
})

/** The snippet as a file, with a user, a store and a port that there are; the rest as it stands. */
function fileOf(document: string, heading: string, word: string): string {
  const text = readFileSync(join(root, document), 'utf8')
  const section = text.split(/^##+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const code = [...section.matchAll(/^```ts\n(.*?)^```$/gms)]
    .map(([, code = '']) => code)
    .find((code) => code.includes(word))
  if (code === undefined) throw new Error(`no snippet for ${word} below ${heading}`)
  const place = mkdtempSync(join(folder, 'snippet-'))
  const user = `async (cookie: unknown) => (cookie === '${SIGNED_IN.cookie}' ? { id: 'ada', tenant: 'acme', admin: true } : undefined)`
  const runnable = code
    .replace(/^declare function findUser.*$/m, `const findUser = ${user}`)
    .replace(/keyring: '[^']+'/, `keyring: 'sqlite:${place}/keys.db'`)
    .replace(/^express\(\)/m, 'export const server = express()')
    .replace('.listen(3000)', '.listen(0)')
  const file = join(place, 'snippet.ts')
  writeFileSync(file, runnable)
  return file
}

async function overHttp(server: Server): Promise<Send> {
  if (!server.listening) await once(server, 'listening')
  opened.push(() => server.close())
  const { port } = server.address() as AddressInfo
  return (path, init) => fetch(`http://localhost:${port}${path}`, init)
}

async function overFastify({ app }: { app: FastifyInstance }): Promise<Send> {
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  opened.push(() => app.close())
  return (path, init) => fetch(url + path, init)
}

function overFetch(handlers: Record<string, (request: Request) => Promise<Response>>): Send {
  return async (path, { method = 'GET', ...init } = {}) => {
    const request = new Request(`https://app.example.com${path}`, { method, ...init })
    return (handlers[method] as (request: Request) => Promise<Response>)(request)
  }
}
