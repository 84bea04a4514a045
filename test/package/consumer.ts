/**
 * A user's service on all three frameworks, without a cast. `package.test.ts` compiles it against the packed tarball, as
 * strictly as TypeScript can, under each module resolution and with the types of both supported majors. Not part of the
 * project's own check: the scope that it adds would be one of the source's, too.
 */
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import {
  type AccessTokenAuth,
  type AnyAuthError,
  type ApiKeyAuth,
  type Auth,
  createKeyring,
  createVerifier,
  hasScope,
  isAuthError,
  type KeyStore,
  memoryKeyStore,
  type Scope,
} from 'vantage-auth'
import { ALL_TENANTS, authorizeByScope, createKeyConsole } from 'vantage-auth/console'
import * as onExpress from 'vantage-auth/express'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'
import { postgresKeyStore } from 'vantage-auth/postgres'
import { sqliteKeyStore } from 'vantage-auth/sqlite'

declare module 'vantage-auth' {
  interface VantageScopes {
    'reports:read': true
  }
}

const own: Scope = 'reports:read'
const store: KeyStore = memoryKeyStore()
const verifier = createVerifier({ keys: store, issuer: false, isRevoked: async (auth) => auth.tenant === 'gone' })

const app = express()
app.use(
  onExpress.vantageAuth({ verifier, skip: (req) => req.path === '/healthz', onError: (error) => void error.code }),
)
app.get('/', onExpress.requireScope('reports:read', 'jobs:read'), (req, res) => {
  const view: Auth | undefined = req.auth
  const auth: Auth = onExpress.getAuth(req)
  res.json([view?.subject, auth.subject, req.auth?.scopes, onExpress.findAuth(req)?.tenant])
})
app.get('/any', onExpress.requireAnyScope('jobs:read', own))
app.get('/v1/auth/test', onExpress.authTest())

const keyConsole = createKeyConsole({
  keyring: createKeyring(store),
  authorize: (req: express.Request) => (req.auth ? { actor: req.auth.subject, tenant: ALL_TENANTS } : undefined),
})
app.use('/settings/api-keys', keyConsole.express())
app.use(
  '/programs',
  createKeyConsole({
    keyring: createKeyring(store),
    authorize: authorizeByScope({ issuer: 'https://issuer.example' }),
  }).express(),
)

const koa = new Koa()
const koaAuth = onKoa.vantageAuth({ keys: store, skip: (ctx) => ctx.path === '/healthz' })
koa.use(koaAuth)
koa.use(onKoa.requireScope('jobs:write'))
koa.use(onKoa.authTest())
koa.use(keyConsole.koa())
koa.use((ctx) => {
  const view: Auth | undefined = ctx.state.auth
  ctx.body = [view?.subject, onKoa.getAuth(ctx).subject, onKoa.findAuth(ctx)?.scopes]
})

const server = fastify()
server.register(keyConsole.fastify(), { prefix: '/settings/api-keys' })
server.register(onFastify.vantageAuth, { verifier, skip: (request) => request.url === '/healthz' })
server.register(onFastify.vantageAuth, { keys: store, issuer: false })
server.get('/', { onRequest: onFastify.requireScope('jobs:read') }, (request) => {
  const view: Auth | undefined = request.auth
  return [view?.subject, onFastify.getAuth(request).subject, onFastify.findAuth(request)?.expiresAt]
})
server.get('/any', { onRequest: onFastify.requireAnyScope('reports:read') }, async () => 'ok')
server.get('/v1/auth/test', onFastify.authTest())

export function describe(auth: Auth): string {
  const byKind: ApiKeyAuth | AccessTokenAuth = auth
  if (byKind.kind === 'api_key') return `${byKind.keyId} ${byKind.name ?? ''}`
  return `${byKind.issuer} ${byKind.clientId ?? ''} ${byKind.claims.jti ?? ''} ${hasScope(auth, 'reports:read')}`
}

export function status(error: unknown): number | undefined {
  if (!isAuthError(error)) return undefined
  return exhaustive(error)
}

function exhaustive(error: AnyAuthError): number {
  switch (error.code) {
    case 'ERR_VANTAGE_CREDENTIALS_MISSING':
    case 'ERR_VANTAGE_REQUEST_INVALID':
      return error.status
    case 'ERR_VANTAGE_TOKEN_INVALID':
      return error.reason.length
    case 'ERR_VANTAGE_SCOPE_INSUFFICIENT':
      return error.required.length
    case 'ERR_VANTAGE_AUTHENTICATION_INSUFFICIENT':
      return error.acrValues.length + (error.maxAgeSeconds ?? 0)
    case 'ERR_VANTAGE_UNAVAILABLE':
      return error.statusCode
  }
}

export async function operate(): Promise<void> {
  const keyring = createKeyring(sqliteKeyStore({ path: 'keys.db' }), { expiresIn: '90d' })
  const { key, record } = await keyring.create({ subject: 'svc', scopes: ['jobs:read'] })
  await keyring.revoke(record.id, { reason: String(key.length) })
  await createKeyring(postgresKeyStore({ connectionString: 'postgres://localhost/keys' })).get(record.id)
  await verifier.ready()
  await koaAuth.verifier.close()
}
