import { createServer, type IncomingMessage } from 'node:http'
import express, { type Express, type RequestHandler, type Response } from 'express'
import { createKeyConsole, type KeyConsole } from '../console/index.js'
import type { DemoClient } from './authorization-server.js'
import { homePage, refusedPage, settingsPage, signInFailedPage, welcomePage } from './dashboard-pages.js'
import { listen, type Running } from './loopback.js'
import { contentSecurityPolicy } from './page-frame.js'
import { createSessions, type Sessions } from './sessions.js'
import { createSignIn, type SignIn } from './sign-in.js'
import { createTickets, type Tickets } from './tickets.js'

export interface DashboardOptions {
  /** Port on loopback; 0 for a free one. */
  readonly port: number
  /** The authorization server, which is up. */
  readonly issuer: string
  /** What the dashboard is at the authorization server. */
  readonly client: DemoClient
  /** The tenant of each account that may sign in. */
  readonly tenants: Readonly<Record<string, string>>
  /** URL of the key store. */
  readonly keys: string
  /** The API that the keys are for. */
  readonly apiUrl: string
}

/** The dashboard, and where the console is in it. */
export interface RunningDashboard extends Running {
  readonly console: string
}

const CONSOLE_PATH = '/settings/api-keys'
/** A sign-in that ended here would begin again, or fail. */
const SIGN_IN_PATHS = /^\/(sign-in|callback)\/?$/i

/** A small application with sessions of its own, which has the console mounted under Settings. */
export async function startDashboard(options: DashboardOptions): Promise<RunningDashboard> {
  const server = createServer()
  // Its own address is part of what it tells the authorization server, so the socket comes first.
  const { url, close } = await listen(server, options.port)
  // Cookies know no ports: each demo on this host has its own, so that they do not sign each other out.
  const cookie = `vantage_dashboard_${new URL(url).port}`
  const sessions = createSessions(cookie)
  let keyConsole: KeyConsole | undefined
  try {
    const signIn = await createSignIn({
      issuer: options.issuer,
      client: options.client,
      redirectUri: `${url}/callback`,
    })
    keyConsole = createKeyConsole({
      keyring: options.keys,
      // The keys of the whole tenant, whoever of it made them.
      authorize: (req: IncomingMessage) => {
        const user = sessions.userOf(req)
        return user && { actor: user.account, tenant: user.tenant, canWrite: true }
      },
      apiUrl: options.apiUrl,
      signInUrl: '/sign-in',
      origin: url,
    })
    server.on(
      'request',
      createDashboard(url, options, sessions, signIn, createTickets(`${cookie}_sign_in`), keyConsole),
    )
  } catch (error) {
    await keyConsole?.close()
    await close()
    throw error
  }
  const opened = keyConsole
  return { url, console: url + CONSOLE_PATH, close: () => opened.close().then(close) }
}

function createDashboard(
  url: string,
  { apiUrl, tenants }: DashboardOptions,
  sessions: Sessions,
  signIn: SignIn,
  tickets: Tickets,
  keyConsole: KeyConsole,
): Express {
  const app = express().disable('x-powered-by')
  app.use(onlyAt(url))
  app.use(CONSOLE_PATH, keyConsole.express())

  app.get('/', (req, res) => {
    const user = sessions.userOf(req)
    sendPage(res, user === undefined ? welcomePage() : homePage(user, apiUrl))
  })
  app.get('/settings', (req, res) => {
    const user = sessions.userOf(req)
    if (user === undefined) res.redirect(303, '/sign-in?return_to=/settings')
    else sendPage(res, settingsPage(user, `${CONSOLE_PATH}/`))
  })

  app.get('/sign-in', async (req, res) => {
    const begun = await signIn.begin(ownAddress(req.query.return_to, url))
    tickets.give(req, res, begun.ticket)
    res.redirect(303, begun.url.href)
  })
  app.get('/callback', async (req, res) => {
    const signedIn = await signIn.finish(tickets.take(req, res, req.query.state), new URL(req.url, url).search)
    const tenant = signedIn && new Map(Object.entries(tenants)).get(signedIn.account)
    if (signedIn === undefined || tenant === undefined) return sendPage(res.status(400), signInFailedPage())
    sessions.begin(req, res, { account: signedIn.account, tenant })
    res.redirect(303, signedIn.returnTo)
  })
  app.post('/sign-out', sameOrigin(url), (req, res) => {
    sessions.end(req, res)
    res.redirect(303, '/')
  })
  return app
}

/** Leads whoever calls it by another name, such as localhost, to the one address that the cookies are for. */
function onlyAt(url: string): RequestHandler {
  const { host } = new URL(url)
  return (req, res, next) => {
    if (req.headers.host === host) return next()
    if (req.method !== 'GET' && req.method !== 'HEAD') return sendPage(res.status(421), refusedPage(`It is at ${url}`))
    const target = new URL(url)
    target.pathname = req.path
    res.redirect(307, target.href)
  }
}

/** A cookie that is SameSite still comes with what a page on another port of this machine sends. */
function sameOrigin(url: string): RequestHandler {
  return (req, res, next) => {
    const site = req.headers['sec-fetch-site']
    if (site === undefined ? req.headers.origin === url : site === 'same-origin') return next()
    sendPage(res.status(403), refusedPage('It did not come from a page of this dashboard.'))
  }
}

/** Where `return_to` leads, if that is a page of the dashboard; its first page otherwise. */
function ownAddress(returnTo: unknown, url: string): string {
  if (typeof returnTo !== 'string' || !URL.canParse(returnTo, url)) return url
  const target = new URL(returnTo, url)
  // The whole address, not the path alone: a path can begin with two slashes, which a browser takes for another host.
  return target.origin === url && !SIGN_IN_PATHS.test(target.pathname) ? target.href : url
}

function sendPage(res: Response, html: string): void {
  res
    .set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': contentSecurityPolicy(["'self'"]),
      // With none at all, browsers send the form to sign out without its origin.
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    })
    .type('html')
    .send(html)
}
