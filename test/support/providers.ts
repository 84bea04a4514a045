import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { RevocationEvent } from '../../src/core/telemetry.js'
import type { Answer } from '../../src/http/answers.js'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type {
  ReceivedRequest,
  Receiver,
  RevocationReceiverOptions,
  RevocationSender,
} from '../../src/receiver/contract.js'
import { createReceiver } from '../../src/receiver/receiver.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createTestIssuer, type TestIssuer } from './tokens.js'

/** 2026-11-25T12:00:00Z. */
export const NOW = 1_795_608_000
export const PROVIDER = 'https://idp.example'
export const CLIENT = 'client-1'
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
export const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
export const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'
export const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/'

type Claims = Record<string, unknown>

/** A provider, and what it can sign. `undefined` leaves a claim or a member of the header out. */
export interface Provider extends TestIssuer {
  logoutToken(claims?: Claims, header?: Claims): string
  securityEvent(claims?: Claims, header?: Claims): string
  revocationToken(claims?: Claims, header?: Claims): string
  idToken(claims?: Claims, header?: Claims): string
}

export function createProvider(options: { issuer?: string; now?: () => number; kid?: string } = {}): Provider {
  const { now = () => NOW } = options
  const issuer = createTestIssuer({
    issuer: options.issuer ?? PROVIDER,
    audience: CLIENT,
    clock: () => now() * 1000,
    ...(options.kid && { kid: options.kid }),
  })
  let serial = 0
  const mint = (typ: string, claims: Claims, over: Claims, header: Claims) =>
    issuer.mintRaw({
      header: issuer.header({ typ, ...header }),
      payload: { iss: issuer.issuer, aud: CLIENT, iat: now(), jti: `event-${++serial}`, ...claims, ...over },
    })
  return {
    ...issuer,
    logoutToken: (claims = {}, header = {}) =>
      mint('logout+jwt', { exp: now() + 120, sid: 's1', sub: 'u1', events: { [LOGOUT_EVENT]: {} } }, claims, header),
    securityEvent: (claims = {}, header = {}) =>
      mint(
        'secevent+jwt',
        {
          sub_id: { format: 'iss_sub', iss: issuer.issuer, sub: 'u1' },
          events: { [`${CAEP}session-revoked`]: { event_timestamp: now() - 10 } },
        },
        claims,
        header,
      ),
    revocationToken: (claims = {}, header = {}) =>
      mint('global-token-revocation+jwt', { sub: 'client', exp: now() + 300, nbf: now() - 300 }, claims, header),
    idToken: (claims = {}, header = {}) =>
      mint('JWT', { sub: 'u1', sid: 's1', exp: now() + 300, nonce: 'n', at_hash: 'h' }, claims, header),
  }
}

/** A receiver on a store in memory. */
export interface World {
  readonly provider: Provider
  readonly receiver: Receiver
  readonly keyring: Keyring
  readonly store: KeyStore
  /** What it published, in order. */
  readonly events: RevocationEvent[]
  /** Seconds since the epoch. */
  time: number
  close(): Promise<void>
}

export function createWorld(
  over: {
    sender?: Partial<RevocationSender>
    others?: readonly RevocationSender[]
    options?: Partial<RevocationReceiverOptions>
    store?: KeyStore
    keyring?: Keyring
  } = {},
): World {
  const clock = () => world.time * 1000
  const store = over.store ?? memoryKeyStore()
  const keyring = over.keyring ?? createKeyring(store, { clock })
  const provider = createProvider({ now: () => world.time })
  const events: RevocationEvent[] = []
  const listen = (event: unknown) => events.push(event as RevocationEvent)
  subscribe('vantage-auth:revocation', listen)
  const world: World = {
    provider,
    keyring,
    store,
    events,
    time: NOW,
    receiver: undefined as never,
    async close() {
      unsubscribe('vantage-auth:revocation', listen)
      await world.receiver.close()
      await keyring.close()
    },
  }
  const receiver = createReceiver({
    keyring,
    issuers: [{ issuer: PROVIDER, audience: CLIENT, jwks: provider.jwks, ...over.sender }, ...(over.others ?? [])],
    clock,
    outageNotices: false,
    ...over.options,
  })
  return Object.assign(world, { receiver })
}

type Headers = ReceivedRequest['headers']

export const CONTENT_TYPES = {
  form: 'application/x-www-form-urlencoded',
  event: 'application/secevent+jwt',
  json: 'application/json',
} as const

export function post(
  contentType: string | undefined,
  body: string | Buffer,
  headers: Partial<Headers> = {},
): ReceivedRequest {
  return {
    method: 'POST',
    query: false,
    headers: { authorization: undefined, contentType, ...headers },
    body: Buffer.from(body as string),
  }
}

export const postForm = (token: string): ReceivedRequest =>
  post(CONTENT_TYPES.form, new URLSearchParams({ logout_token: token }).toString())

export const postEvent = (token: string, authorization?: string | readonly string[]): ReceivedRequest =>
  post(CONTENT_TYPES.event, token, { authorization })

export const USER = { format: 'iss_sub', iss: PROVIDER, sub: 'u1' }

export const postRevocation = (token: string, body: unknown = { sub_id: USER }): ReceivedRequest =>
  post(CONTENT_TYPES.json, typeof body === 'string' ? body : JSON.stringify(body), { authorization: `Bearer ${token}` })

export function errorOf({ body }: Answer): Record<string, string> {
  return JSON.parse(body) as Record<string, string>
}
