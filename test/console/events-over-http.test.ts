import { request as send } from 'node:http'
import express from 'express'
import { createKeyring, memoryKeyStore, openKeyStore } from 'vantage-auth'
import { authorizeByScope, type ConsoleCaller, createKeyConsole } from 'vantage-auth/console'
import { vantageAuth } from 'vantage-auth/express'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { sql, temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'
import { FRONTS } from '../support/consoles.js'
import { listen as serve } from '../support/frameworks.js'
import { postgresIsThere, startPostgres } from '../support/postgres.js'
import { until } from '../support/until.js'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

interface Heard {
  readonly event: string | undefined
  readonly data: { readonly id?: string; readonly at?: string; readonly state?: string }
}

/** A client on a socket of its own, as a browser's EventSource is. */
function listen(port: number, headers: Record<string, string> = {}, path = '/keys/api/events') {
  const client = {
    status: 0,
    headers: {} as NodeJS.Dict<string | string[]>,
    text: '',
    isOver: false,
    leave: () => request.destroy(),
    heard(): Heard[] {
      const blocks = client.text.split('\n\n').slice(0, -1)
      return blocks.flatMap((block) => {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
        const event = field('event')
        return event === undefined ? [] : [{ event, data: JSON.parse(field('data') as string) }]
      })
    },
    position: () => [...client.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] as string,
    /** Waits for an event of a key. */
    async hears(event: string, id: string | undefined): Promise<Heard> {
      await until(() => client.heard().some((one) => one.event === event && one.data.id === id))
      return client.heard().findLast((one) => one.event === event && one.data.id === id) as Heard
    },
  }
  const request = send({ port, host: '127.0.0.1', path, headers, agent: false }, (answer) => {
    client.status = answer.statusCode as number
    client.headers = answer.headers
    answer.setEncoding('utf8').on('data', (chunk) => {
      client.text += chunk
    })
    answer.on('close', () => {
      client.isOver = true
    })
  })
  request.on('error', () => {})
  request.end()
  ended.push(client.leave)
  return client
}

const byHeader = (request: { headers: unknown }): ConsoleCaller => {
  const headers = ((request as { req?: { headers: unknown } }).req ?? request).headers
  const tenant = headers instanceof Headers ? headers.get('x-tenant') : (headers as Record<string, string>)['x-tenant']
  return { actor: 'somebody', tenant: tenant ?? 'acme', canWrite: true }
}

const scopes = ['jobs:read'] as const

describe.each(FRONTS)('$name', ({ start }) => {
  test('streams what happens to the keys of the caller, and frees the place of a client that leaves', async () => {
    const keyring = createKeyring(memoryKeyStore())
    const keyConsole = createKeyConsole({ keyring, authorize: byHeader })
    const server = await start(keyConsole, '/keys')
    ended.push(server.close, keyConsole.close)
    const clients = Array.from({ length: 10 }, () => listen(server.port))
    const other = listen(server.port, { 'x-tenant': 'globex' })
    for (const client of [...clients, other]) await until(() => client.text.startsWith(':'))
    expect(clients[0]).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      },
    })
    const refused = listen(server.port)
    await until(() => refused.isOver)
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '10' } })

    const { key, record } = await keyring.create({ subject: 'ada', tenant: 'acme', name: 'deploy', scopes })
    for (const client of clients) await client.hears('created', record.id)
    const { record: foreign } = await keyring.create({ subject: 'bob', tenant: 'globex', scopes })
    await other.hears('created', foreign.id)
    for (const { text } of clients) expect(text).not.toContain(foreign.id)
    expect(other.text).not.toContain(record.id)
    for (const text of ['deploy', key]) expect(clients[0]?.text).not.toContain(text)

    clients[0]?.leave()
    await until(async () => {
      const next = listen(server.port)
      await until(() => next.status !== 0)
      return next.status === 200
    })
  })
})

test('under authorizeByScope() a stream ends when its key is revoked', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  ended.push(() => vi.useRealTimers())
  const store = memoryKeyStore()
  const keyring = createKeyring(store, { scopes: ['keys:read'] })
  const keyConsole = createKeyConsole({ keyring, authorize: authorizeByScope({ issuer: 'https://issuer.test' }) })
  const service = vantageAuth({ keys: store, issuer: false })
  const server = await serve(express().use(service).use('/keys', keyConsole.express()))
  ended.push(server.close, keyConsole.close, () => service.verifier.close())
  const { key, record } = await keyring.create({ subject: 'svc', scopes: ['keys:read'] as never })

  const client = listen(server.port, { authorization: `Bearer ${key}` })
  await until(() => client.text.startsWith(':'))
  vi.advanceTimersByTime(30_000)
  await keyring.revoke(record.id)
  await client.hears('revoked', record.id)
  expect(client.isOver).toBe(false)
  vi.advanceTimersByTime(30_000)
  await until(() => client.isOver)
  expect(client.heard().at(-1)).toMatchObject({ event: 'session-expired' })
})

describe('heard by whomever made', () => {
  const command = shippedCommand()
  const { start } = FRONTS.find(({ name }) => name === 'Express 5') as (typeof FRONTS)[number]

  /** A console over a store, and a client of it. */
  async function consoleOver(url: string) {
    const store = openKeyStore(url)
    const keyring = createKeyring(store)
    await keyring.list()
    const keyConsole = createKeyConsole({ keyring, authorize: byHeader })
    const server = await start(keyConsole, '/keys')
    ended.push(() => store.close(), server.close, keyConsole.close)
    const client = listen(server.port)
    await until(() => client.text.startsWith(':'))
    return { keyring, store, server, client }
  }

  test('SQLite: the command line in another process, and hand-written SQL', async () => {
    const folder = temporaryFolder()
    ended.push(folder.remove)
    const path = folder.path('keys.db')
    const { client, keyring, store, server } = await consoleOver(`sqlite:${path}`)
    const words = 'keys create --subject ada --tenant acme --scopes jobs:read --json --store'.split(' ')
    const { stdout } = await command.run([...words, `sqlite:${path}`], { cwd: folder.path('.') })
    const { id } = JSON.parse(stdout).record
    expect(await client.hears('created', id)).toMatchObject({ data: { state: 'active' } })

    const position = client.position()
    client.leave()
    sql(path, `UPDATE vantage_keys SET name = 'by hand' WHERE id = '${id}'`)
    const { record, previous } = await keyring.rotate(id)
    sql(path, `UPDATE vantage_keys SET revoked_at = 1 WHERE id = '${record.id}'`)
    const back = listen(server.port, { 'last-event-id': position })
    expect(await back.hears('revoked', record.id)).toMatchObject({ data: { state: 'revoked' } })
    await back.hears('changed', previous.id)

    await store.addUsage([
      { id: previous.id, day: new Date().toISOString().slice(0, 10), count: 1, lastUsedAt: Date.now() },
    ])
    await back.hears('first-use', previous.id)
  })

  test.skipIf(!postgresIsThere())(
    'PostgreSQL: another process with connections of its own, and hand-written SQL',
    async () => {
      const server = await startPostgres()
      ended.push(() => server.stop())
      const url = await server.emptyDatabase()
      const { client } = await consoleOver(url)
      const elsewhere = createKeyring(url)
      ended.push(elsewhere.close)
      const { record } = await elsewhere.create({ subject: 'ada', tenant: 'acme', scopes })
      await client.hears('created', record.id)
      await server.sql(url, 'UPDATE vantage_keys SET revoked_at = now() WHERE id = $1', [record.id])
      await client.hears('revoked', record.id)
    },
  )
})
