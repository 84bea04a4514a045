import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import type { Page } from 'playwright-core'
import {
  ALL_TENANTS,
  type ConsoleCaller,
  createKeyConsole,
  type KeyConsole,
  type KeyConsoleOptions,
} from 'vantage-auth/console'
import { listen } from '../../support/frameworks.js'

const MOUNT = '/settings/api-keys'

/** Who may sign in. */
const PEOPLE: Readonly<Record<string, ConsoleCaller>> = {
  ada: { actor: 'ada', tenant: 'acme', canWrite: true },
  bob: { actor: 'bob', tenant: 'globex', canWrite: true },
  operator: { actor: 'operator', tenant: ALL_TENANTS, canWrite: true },
  auditor: { actor: 'auditor', tenant: 'acme' },
}

/** A request below the console's mount, as it was answered. */
export interface Served {
  /** `POST /api/keys` */
  readonly request: string
  /** Whether it came with the cookie of somebody who is signed in. */
  readonly signedIn: boolean
  readonly status: number
}

/** An application with sessions of its own and the console under Settings. */
export interface Dashboard {
  readonly port: number
  /** Where the console is. */
  readonly url: string
  readonly keyConsole: KeyConsole
  /** What was answered so far. */
  readonly served: readonly Served[]
  /** Event streams that are open. */
  streams(): number
  /** Ends the sessions of everybody. */
  endSessions(): void
  /** Cuts the connections of all event streams. */
  cutStreams(): void
  close(): Promise<void>
}

export async function startDashboard(options: Omit<KeyConsoleOptions, 'authorize'>): Promise<Dashboard> {
  const sessions = new Map<string, string>()
  const served: Served[] = []
  const streams = new Set<ServerResponse>()
  const personOf = (req: IncomingMessage) =>
    PEOPLE[sessions.get(/session=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? '') ?? '']
  const keyConsole = createKeyConsole({ signInUrl: '/sign-in', ...options, authorize: personOf })
  const app = express()
  app.use(MOUNT, (req, res, next) => {
    const signedIn = personOf(req) !== undefined
    const { method, path } = req
    res.on('finish', () => served.push({ request: `${method} ${path}`, signedIn, status: res.statusCode }))
    if (path === '/api/events') {
      streams.add(res)
      res.on('close', () => streams.delete(res))
    }
    next()
  })
  app.use(MOUNT, keyConsole.express())
  app.get('/sign-in', (req, res) => {
    const links = Object.keys(PEOPLE).map((name) => {
      const query = new URLSearchParams({ name, return_to: String(req.query.return_to) })
      return `<li><a href="/signed-in?${query}">${name}</a></li>`
    })
    res.type('html').send(`<!doctype html><title>Sign in</title><ul>${links.join('')}</ul>`)
  })
  app.get('/signed-in', (req, res) => {
    const session = randomBytes(16).toString('hex')
    sessions.set(session, String(req.query.name))
    res.cookie('session', session, { httpOnly: true, sameSite: 'lax' })
    res.redirect(303, String(req.query.return_to))
  })
  const { port, close } = await listen(app)
  return {
    port,
    url: `http://127.0.0.1:${port}${MOUNT}/`,
    keyConsole,
    served,
    streams: () => streams.size,
    endSessions: () => sessions.clear(),
    cutStreams() {
      for (const res of streams) res.destroy()
    },
    async close() {
      await keyConsole.close()
      await close()
    },
  }
}

/** Goes to the console and is sent to sign in. */
export async function signIn(page: Page, url: string, name = 'ada'): Promise<void> {
  await page.goto(url)
  await page.getByRole('link', { name, exact: true }).click()
  await page.getByRole('heading', { name: 'API Keys', level: 1 }).waitFor()
}
