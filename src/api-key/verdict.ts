import { timingSafeEqual } from 'node:crypto'
import { type ApiKeyAuth, createApiKeyAuth } from '../core/auth.js'
import { isEnvironment } from '../core/environments.js'
import type { Reason } from '../core/errors.js'
import { createScopeReader } from '../core/scope.js'
import type { StoredKey } from '../store/contract.js'
import type { ParsedApiKey } from './format.js'

/**
 * Checks what a store answered. Applications bring their own stores, and a key whose revocation or expiry cannot be read
 * must not be accepted.
 *
 * @throws {TypeError} that names the member
 */
export function checkStoredKey(value: unknown, id: string): asserts value is StoredKey | undefined {
  if (value === undefined) return
  if (typeof value !== 'object' || value === null) {
    throw new TypeError('KeyStore.find() must answer a StoredKey, or undefined when there is none')
  }
  const key = value as Partial<Record<keyof StoredKey, unknown>>
  const wrong =
    (key.id !== id && 'id') ||
    (typeof key.digest !== 'string' && 'digest') ||
    (typeof key.subject !== 'string' && 'subject') ||
    (!isOptionalText(key.tenant) && 'tenant') ||
    (!isOptionalText(key.name) && 'name') ||
    (!isEnvironment(key.environment) && 'environment') ||
    (!isListOfTexts(key.scopes) && 'scopes') ||
    (!isOptionalInstant(key.expiresAt) && 'expiresAt') ||
    (!isOptionalInstant(key.revokedAt) && 'revokedAt')
  if (wrong) throw new TypeError(`KeyStore.find() answered a key whose ${wrong} is not what StoredKey says`)
}

const readScopes = createScopeReader((json) => Object.freeze(JSON.parse(json) as string[]))

/**
 * Decides on a presented key by what the store has under its id.
 *
 * @param presentedDigest `digestApiKey` of the whole presented key
 * @returns what the key grants, or why it is refused
 */
export function judgeStoredKey(
  stored: StoredKey | undefined,
  presented: ParsedApiKey,
  presentedDigest: string,
  now: number,
): ApiKeyAuth | Reason {
  if (stored === undefined || !sameDigest(stored.digest, presentedDigest)) return 'unknown'
  const { id, subject, tenant, name, environment, expiresAt, revokedAt } = stored
  if (environment !== presented.environment) return 'environment'
  if (revokedAt !== null) return 'revoked'
  if (expiresAt !== null && now >= expiresAt) return 'expired'
  const scopes = readScopes(JSON.stringify(stored.scopes))
  return createApiKeyAuth({ subject, scopes, tenant, keyId: id, name }, expiresAt)
}

/** In constant time. Digests give little away anyhow, but it costs nothing. */
function sameDigest(stored: string, presented: string): boolean {
  const [a, b] = [Buffer.from(stored), Buffer.from(presented)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function isOptionalText(value: unknown): boolean {
  return value === null || typeof value === 'string'
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && [...value].every((entry) => typeof entry === 'string')
}

function isOptionalInstant(value: unknown): boolean {
  return value === null || (typeof value === 'number' && Number.isFinite(value))
}
