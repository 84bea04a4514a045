import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensurePage } from '../scripts/page.js'
import { createKeyring } from '../src/keyring/keyring.js'
import { EVENTS_PATH, serveExpressApi } from './api-express.js'
import { startFastifyApi } from './api-fastify.js'
import { startKoaApi } from './api-koa.js'
import { startAuthorizationServer } from './authorization-server.js'
import { startDashboard } from './dashboard.js'
import { listen } from './loopback.js'
import { addSampleKeys } from './sample-keys.js'

export interface DemoOptions {
  /** The authorization server's port; the three APIs and the dashboard take the next ones. Free ports by default. */
  readonly port?: number
  /** Whether the authorize step shows a page. */
  readonly interactive: boolean
}

/** Where everything is, and the credentials to call it with. They end with the process. */
export interface Demo {
  readonly issuer: string
  readonly api: { readonly express: string; readonly koa: string; readonly fastify: string }
  /** Settings → API Keys of the dashboard. */
  readonly console: string
  readonly apiKey: string
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  /** An access token, issued in a session of the documented user. */
  readonly accessToken: string
  /** A POST to it ends the session of the access token that comes with it; without one, all sessions. */
  readonly endSession: string
  /** Ends all of it, and removes the key store. Idempotent. */
  close(): Promise<void>
}

// The documented answer of /v1/auth/test shows this user, with these scopes.
const ACCOUNT = 'user_123'
/** Of the key, and of the access token. */
const SCOPES = ['jobs:read', 'clusters:read'] as const
const AUDIENCE = 'https://api.vantage.omnivector.solutions'
const CLIENT_ID = 'demo-client'
/** The tenant of each account of the dashboard. */
const TENANTS = { ada: 'acme', bob: 'globex' } as const

/**
 * Starts the product page's servers on loopback: the authorization server, the sample API on each framework and the
 * dashboard, over one SQLite key store with one key, and with samples that nobody can use.
 *
 * When a part cannot start, those that did are closed again.
 *
 * @throws the system's `EADDRINUSE` error, which carries `port`, when a port is taken
 */
export async function startDemo({ port, interactive }: DemoOptions): Promise<Demo> {
  const closers: (() => Promise<void>)[] = []
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      for (const closePart of closers.reverse()) await closePart()
    })()
    return closing
  }
  const nextPort = (offset: number) => (port === undefined ? 0 : port + offset)
  try {
    await ensurePage()
    const folder = await mkdtemp(join(tmpdir(), 'vantage-auth-demo-'))
    closers.push(() => rm(folder, { recursive: true, force: true }))
    const keys = `sqlite:${join(folder, 'keys.db')}`
    const apiKey = await createKey(keys)
    await addSampleKeys(keys)

    const clientSecret = createSecret()
    const dashboardClient = {
      clientId: 'dashboard',
      clientSecret: createSecret(),
      name: 'Vantage dashboard',
      accounts: Object.keys(TENANTS),
    }
    // The API on Express hears of ended sessions, at an address that the authorization server is told when it starts.
    const expressServer = createServer()
    const { url: express, close: closeExpressServer } = await listen(expressServer, nextPort(1))
    closers.push(closeExpressServer)
    const server = await startAuthorizationServer({
      port: nextPort(0),
      interactive,
      audience: AUDIENCE,
      account: ACCOUNT,
      clients: [
        { clientId: CLIENT_ID, clientSecret, name: 'Demo client', backchannelLogoutUri: express + EVENTS_PATH },
        dashboardClient,
      ],
    })
    closers.push(server.close)

    const policy = { issuer: server.issuer, audience: AUDIENCE, keys }
    const closeExpressApi = serveExpressApi(expressServer, { ...policy, logoutAudience: CLIENT_ID })
    // Its requests end first.
    closers.push(() => closeExpressServer().then(closeExpressApi))
    const urls: string[] = []
    for (const [index, startApi] of [startKoaApi, startFastifyApi].entries()) {
      const api = await startApi({ ...policy, port: nextPort(index + 2) })
      closers.push(api.close)
      urls.push(api.url)
    }
    const [koa, fastify] = urls as [string, string]

    const dashboard = await startDashboard({
      port: nextPort(4),
      issuer: server.issuer,
      client: dashboardClient,
      tenants: TENANTS,
      keys,
      apiUrl: express,
    })
    closers.push(dashboard.close)
    return {
      issuer: server.issuer,
      api: { express, koa, fastify },
      console: dashboard.console,
      apiKey,
      clientId: CLIENT_ID,
      clientSecret,
      redirectUri: server.redirectUri,
      accessToken: await server.openSession(CLIENT_ID, SCOPES),
      endSession: server.endSession,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function createSecret(): string {
  return randomBytes(18).toString('base64url')
}

/** It is of a tenant, so that its uses show in the dashboard. */
async function createKey(store: string): Promise<string> {
  const keyring = createKeyring(store, { environment: 'live' })
  try {
    const { key } = await keyring.create({
      subject: ACCOUNT,
      scopes: [...SCOPES],
      tenant: TENANTS.ada,
      name: 'Demo key',
      actor: 'demo',
    })
    return key
  } finally {
    await keyring.close()
  }
}
