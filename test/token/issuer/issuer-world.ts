import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, vi } from 'vitest'
import { resolveOptions, type VerifierOptions } from '../../../src/config/options.js'
import { UnavailableError } from '../../../src/core/errors.js'
import type { OutageNotices } from '../../../src/core/outage-notices.js'
import type { KeySetEvent } from '../../../src/core/telemetry.js'
import { metadataUrls } from '../../../src/token/issuer/discovery.js'
import { createIssuer, type Issuer } from '../../../src/token/issuer/issuer.js'
import type { Freshness } from '../../../src/token/issuer/loaded-key-set.js'
import type { VerificationKey } from '../../../src/token/key-set.js'
import { createKeyPair, publicJwk } from '../../support/tokens.js'

export const START = Date.parse('2026-11-25T12:00:00Z')
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

export const jwk = (kid: string) => publicJwk(createKeyPair('ES256').publicKey, { kid, alg: 'ES256', use: 'sig' })
export const [old, successor, third] = [jwk('old'), jwk('new'), jwk('third')]

export type Answer = (response: ServerResponse, request: IncomingMessage) => void

export const json =
  (value: unknown): Answer =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end()
export const text =
  (body: string | Uint8Array, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(200, headers).end(body)
export const silence: Answer = () => {}

/** An issuer whose every answer a test can replace, and a clock that it can move. */
export async function setUp(options: Partial<VerifierOptions> & { path?: string } = {}) {
  const { path = '', ...verifierOptions } = options
  const answers = new Map<string, Answer>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url as string)
    const answer = answers.get(request.url as string) ?? status(404)
    answer(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const url = `${origin}${path}`
  const [metadataPath = '', openidPath = '', lastPath = ''] = metadataUrls(url).map(({ pathname }) => pathname)
  answers.set(metadataPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
  answers.set('/jwks', json({ keys: [old] }))

  const clock = { now: START }
  const config = resolveOptions(
    { issuer: url, keys: false, timeoutMs: 3000, clock: () => clock.now, ...verifierOptions },
    {},
  )
  const issuer = createIssuer(config.issuers[0] as (typeof config.issuers)[0], config)
  let attempts = 0
  const onAttempt = (event: unknown) => {
    if ((event as KeySetEvent).issuer === url) attempts++
  }
  subscribe('vantage-auth:key-set', onAttempt)
  onTestFinished(() => {
    unsubscribe('vantage-auth:key-set', onAttempt)
    issuer.close()
    server.closeAllConnections()
    server.close()
  })
  return {
    issuer,
    clock,
    url,
    origin,
    metadataPath,
    openidPath,
    lastPath,
    answers,
    asked,
    /** Waits until so many attempts have ended, well or not. */
    ended: (count: number) => vi.waitFor(() => expect(attempts).toBe(count), { timeout: 10_000 }),
    fetches: (what = '/jwks') => asked.filter((path) => path === what).length,
    keys: (...keys: object[]) => answers.set('/jwks', json({ keys })),
    down: () => answers.set('/jwks', (response) => response.destroy()),
  }
}

/** An issuer elsewhere, behind a fetch of the test's own. */
export function setUpFetch(
  fetch: (url: URL, init: RequestInit) => unknown,
  options: Partial<VerifierOptions> = {},
  notices?: OutageNotices,
) {
  const clock = { now: START }
  const config = resolveOptions(
    {
      issuer: 'https://issuer.example',
      keys: false,
      timeoutMs: 100,
      clock: () => clock.now,
      fetch: fetch as unknown as typeof globalThis.fetch,
      ...options,
    },
    {},
  )
  const issuer = createIssuer(config.issuers[0] as (typeof config.issuers)[0], config, notices)
  onTestFinished(() => issuer.close())
  return { issuer, clock }
}

/** How the question for a key ends: `found`, `none`, or `unavailable` with the seconds of Retry-After. */
export async function ask(issuer: Issuer, kid = 'old'): Promise<string> {
  try {
    return (await issuer.keysFor('ES256', kid)).length > 0 ? 'found' : 'none'
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error
    return `unavailable ${error.headers['Retry-After']}`
  }
}

/** What the log says of an answer that is unavailable. */
export async function causeOf(issuer: Issuer, kid = 'old'): Promise<string> {
  try {
    await issuer.keysFor('ES256', kid)
  } catch (error) {
    return ((error as UnavailableError).cause as Error).message
  }
  throw new Error('it is available')
}

/** Like {@link ask}, and the answer must be there without waiting. */
export function askNow(issuer: Issuer, kid = 'old'): string {
  const keys = issuer.keysFor('ES256', kid)
  if (keys instanceof Promise) {
    keys.catch(() => {})
    throw new Error('the answer has to be waited for')
  }
  return keys.length > 0 ? 'found' : 'none'
}

export async function keyOf(issuer: Issuer) {
  const [key] = await issuer.keysFor('ES256', 'old')
  if (key === undefined) throw new Error('the key is missing')
  return key
}

/** What a verifier does on a cache hit. */
export function serve(issuer: Issuer, key: VerificationKey, clock: { now: number }): Freshness {
  return issuer.freshnessAndRefresh(key, clock.now)
}

export async function readiness(issuer: Issuer): Promise<string> {
  return await issuer.ready().then(
    () => 'ready',
    (error: Error) => error.message,
  )
}

export const turn = () => new Promise(setImmediate)
export const settled = () => new Promise((resolve) => setTimeout(resolve, 30))
