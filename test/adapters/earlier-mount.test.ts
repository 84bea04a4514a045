import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import * as onExpress from 'vantage-auth/express'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'
import { describe, expect, test } from 'vitest'
import { createTestIssuer } from '../support/tokens.js'

// biome-ignore lint/suspicious/noExplicitAny: both majors of a framework have types of their own
const load = (name: string): any => createRequire(import.meta.url)(name)

const partners = createTestIssuer({ issuer: 'https://partners.test' })
const staff = createTestIssuer({ issuer: 'https://staff.test' })
const everybody = { issuer: [partners.options, staff.options], keys: false as const }
const onlyStaff = { issuer: [staff.options], keys: false as const, forwardErrors: true }
const authorization = `Bearer ${partners.mint({ scope: 'jobs:write' })}`

const refusing = [
  ['refuses', onlyStaff],
  [
    'cannot decide',
    {
      ...onlyStaff,
      skip: () => {
        throw new Error('out of paper')
      },
    },
  ],
] as const

async function statusOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    return (await fetch(`http://127.0.0.1:${port}/admin`, { headers: { authorization } })).status
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe.each(refusing)(
  'a later mount that %s ends what an earlier one accepted, where the application goes on',
  (_, later) => {
    test.each(['express4', 'express'])('%s', async (name) => {
      const app = load(name)()
      app.use(onExpress.vantageAuth(everybody))
      app.use('/admin', onExpress.vantageAuth(later))
      app.use((_error: unknown, _req: unknown, _res: unknown, next: () => void) => next())
      app.get('/admin', onExpress.requireScope('jobs:write'), (_req: unknown, res: { end(): void }) => res.end())
      expect(await statusOf(createServer(app))).toBe(401)
    })

    test.each(['koa2', 'koa'])('%s', async (name) => {
      const app = new (load(name))()
      const refuse = onKoa.vantageAuth(later)
      app.use(onKoa.vantageAuth(everybody))
      app.use(async (ctx: never, next: () => Promise<void>) => {
        await refuse(ctx, async () => {}).catch(() => {})
        await next()
      })
      app.use(onKoa.requireScope('jobs:write'))
      app.use((ctx: { body: string }) => {
        ctx.body = 'open'
      })
      expect(await statusOf(createServer(app.callback()))).toBe(401)
    })

    test.each(['fastify4', 'fastify'])('%s shows its error handler no Auth', async (name) => {
      const app = load(name)()
      app.register(onFastify.vantageAuth, everybody)
      // biome-ignore lint/suspicious/noExplicitAny: see above
      app.register(async (scope: any) => {
        await scope.register(onFastify.vantageAuth, later)
        scope.get('/admin', () => 'open')
        scope.setErrorHandler((_error: unknown, request: { auth: unknown }, reply: { send(body: object): void }) =>
          reply.send({ found: onFastify.findAuth(request) ?? null, shown: request.auth ?? null }),
        )
      })
      const { body } = await app.inject({ url: '/admin', headers: { authorization } })
      await app.close()
      expect(JSON.parse(body)).toEqual({ found: null, shown: null })
    })
  },
)
