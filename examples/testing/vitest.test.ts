import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { requireScope, vantageAuth } from 'vantage-auth/express'
import { createTestIssuer, createTestKeys } from 'vantage-auth/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'

const issuer = createTestIssuer()
const { store, keyring } = createTestKeys()
let server: Server
let url: string

beforeAll(async () => {
  const app = express()
  app.use(vantageAuth({ ...issuer.options, keys: store }))
  app.get('/v1/jobs', requireScope('jobs:read'), (_req, res) => {
    res.json({ jobs: [] })
  })
  server = createServer(app).listen(0)
  await once(server, 'listening')
  url = `http://localhost:${(server.address() as AddressInfo).port}/v1/jobs`
})

afterAll(() => server.close())

async function statusWith(credential: string): Promise<number> {
  return (await fetch(url, { headers: { authorization: `Bearer ${credential}` } })).status
}

test('serves a token and a key that grant the scope', async () => {
  expect(await statusWith(issuer.mint({ scope: 'jobs:read' }))).toBe(200)
  const { key, record } = await keyring.create({ subject: 'ci', scopes: ['jobs:read'] })
  expect(await statusWith(key)).toBe(200)
  await keyring.revoke(record.id)
  expect(await statusWith(key)).toBe(401)
})

test('refuses what is expired, and what lacks the scope', async () => {
  expect(await statusWith(issuer.expired({ scope: 'jobs:read' }))).toBe(401)
  expect(await statusWith(issuer.withoutScope())).toBe(403)
})
