import { randomUUID } from 'node:crypto'
import { generateId } from '../api-key/format.js'
import { checkOneOf, optionSetting, readOptions } from '../config/checks.js'
import { ArgumentError } from '../core/argument-error.js'
import {
  type AccessTokenAuth,
  type ApiKeyAuth,
  type Auth,
  createAccessTokenAuth,
  createApiKeyAuth,
  deepFreeze,
} from '../core/auth.js'
import { isScopeToken, type Scope } from '../core/scope.js'

interface Shared {
  /** Default: `'user_123'`. */
  subject?: string | undefined
  /** Default: none. */
  scopes?: readonly (Scope | (string & {}))[] | undefined
  /** Default: `null`. */
  tenant?: string | null | undefined
}

/** See {@link createTestAuth}. */
export interface TestApiKeyAuthOptions extends Shared {
  kind: 'api_key'
  /** Default: a new one. */
  keyId?: string | undefined
  /** Default: `null`. */
  name?: string | null | undefined
  /** Default: `null`, no end. */
  expiresAt?: Date | null | undefined
}

/** See {@link createTestAuth}. */
export interface TestAccessTokenAuthOptions extends Shared {
  kind?: 'access_token' | undefined
  /** Default: `'https://issuer.test'`. */
  issuer?: string | undefined
  /** Default: `'client_123'`. */
  clientId?: string | null | undefined
  /** Default: a new one. */
  tokenId?: string | null | undefined
  /** Default: the `sid` of `claims`, else `null`. */
  sessionId?: string | null | undefined
  /** Who acts for the subject. Default: nobody, unless `claims` has an `act`. */
  actor?: { readonly subject: string | null; readonly clientId?: string | null | undefined } | undefined
  /** Default: the `acr` of `claims`, else `null`. */
  acr?: string | undefined
  /** When the subject signed in. Default: the `auth_time` of `claims`, else `null`. */
  authTime?: Date | undefined
  /** Default: in five minutes. */
  expiresAt?: Date | undefined
  /** Further claims, in their wire spelling. `iss`, `sub`, `exp` and the like follow from the options above. */
  claims?: Readonly<Record<string, unknown>> | undefined
}

const SHARED = ['kind', 'subject', 'scopes', 'tenant', 'expiresAt'] as const

/**
 * Creates what a handler gets from `getAuth()`, for unit tests of handlers that are called without a server: an Auth as a
 * verifier makes it, frozen, that `hasScope()` and the others take. No credential stands behind it.
 *
 * @throws {TypeError} for a wrong or unknown option
 */
export function createTestAuth(options: TestApiKeyAuthOptions): ApiKeyAuth
export function createTestAuth(options?: TestAccessTokenAuthOptions): AccessTokenAuth
export function createTestAuth(options: TestApiKeyAuthOptions | TestAccessTokenAuthOptions): Auth
export function createTestAuth(options: TestApiKeyAuthOptions | TestAccessTokenAuthOptions = {}): Auth {
  const { kind = 'access_token' } = options
  checkOneOf(optionSetting(kind, 'kind'), ['api_key', 'access_token'])
  return kind === 'api_key'
    ? apiKeyAuth(options as TestApiKeyAuthOptions)
    : accessTokenAuth(options as TestAccessTokenAuthOptions)
}

function apiKeyAuth(options: TestApiKeyAuthOptions): ApiKeyAuth {
  const given = readOptions(options, [...SHARED, 'keyId', 'name'], 'option of createTestAuth()')
  const { keyId = generateId(), name = null, expiresAt = null } = given as Partial<TestApiKeyAuthOptions>
  const endsAt = expiresAt === null ? null : checkDate(expiresAt, 'expiresAt')
  return createApiKeyAuth({ ...checkShared(given), keyId, name }, endsAt)
}

function accessTokenAuth(options: TestAccessTokenAuthOptions): AccessTokenAuth {
  const names = [...SHARED, 'issuer', 'clientId', 'tokenId', 'sessionId', 'actor', 'acr', 'authTime', 'claims'] as const
  const given = readOptions(options, names, 'option of createTestAuth()') as TestAccessTokenAuthOptions
  const shared = checkShared(given)
  const { issuer = 'https://issuer.test', clientId = 'client_123', tokenId = randomUUID() } = given
  const { sid } = given.claims ?? {}
  const sessionId =
    given.sessionId === undefined ? (typeof sid === 'string' && sid) || null : checkText(given.sessionId, 'sessionId')
  const now = Math.floor(Date.now() / 1000)
  const exp = given.expiresAt === undefined ? now + 300 : checkDate(given.expiresAt, 'expiresAt') / 1000
  const claims = {
    iat: now,
    ...structuredClone(given.claims),
    iss: issuer,
    sub: shared.subject,
    exp,
    scope: shared.scopes.join(' '),
    ...(clientId !== null && { client_id: clientId }),
    ...(tokenId !== null && { jti: tokenId }),
    ...(sessionId !== null && { sid: sessionId }),
    ...(given.actor !== undefined && { act: actOf(given.actor) }),
    ...(given.acr !== undefined && { acr: checkText(given.acr, 'acr') }),
    ...(given.authTime !== undefined && { auth_time: checkDate(given.authTime, 'authTime') / 1000 }),
  }
  return createAccessTokenAuth({ ...shared, issuer, clientId, tokenId, sessionId, claims: deepFreeze(claims) })
}

/** The `act` claim of a token that has this actor. */
function actOf(actor: object): Readonly<Record<string, string>> {
  const { subject, clientId } = readOptions(actor, ['subject', 'clientId'], 'member of actor')
  const sub = checkText(subject, 'actor.subject')
  const client_id = checkText(clientId, 'actor.clientId')
  if (subject === undefined) throw new ArgumentError('actor.subject', 'is missing: a text, or null')
  return { ...(sub !== null && { sub }), ...(client_id !== null && { client_id }) }
}

function checkText(value: unknown, name: string): string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && value !== '') return value
  throw new ArgumentError(name, 'must be a text, not empty')
}

function checkShared({ subject = 'user_123', scopes = [], tenant = null }: { [N in keyof Shared]?: unknown }) {
  if (typeof subject !== 'string' || subject === '') throw new ArgumentError('subject', 'must be a text, not empty')
  if (tenant !== null && typeof tenant !== 'string') throw new ArgumentError('tenant', 'must be a text or null')
  if (!Array.isArray(scopes) || !scopes.every(isScopeToken)) {
    throw new ArgumentError('scopes', `must be a list of scopes, for example ['jobs:read']`)
  }
  return { subject, tenant, scopes: Object.freeze([...new Set(scopes as string[])]) }
}

function checkDate(value: unknown, name: string): number {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime()
  throw new ArgumentError(name, 'must be a Date')
}
