import { timingSafeEqual } from 'node:crypto'
import { type ApiKeyAuth, createApiKeyAuth } from '../core/auth.js'
import { isEnvironment } from '../core/environments.js'
import type { Reason } from '../core/errors.js'
import { createScopeReader } from '../core/scope.js'
import type { StoredKey } from '../store/contract.js'
import { type CheckReport, show } from '../token/check-report.js'
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

/** A well-formed key that somebody presents. */
export interface PresentedKey extends ParsedApiKey {
  /** `digestApiKey` of the whole key. */
  readonly digest: string
}

/** One check of a presented key against the row that the store has under its id. */
interface KeyCheck {
  readonly name: string
  readonly reason: Reason
  holds(stored: StoredKey, presented: PresentedKey, now: number): boolean
  /** For people: what would have passed. */
  expected(presented: PresentedKey, now: number): string
  /** For people: what is there. Never the digest. */
  found(stored: StoredKey, presented: PresentedKey): string
}

/** Whether who presents the key holds the whole of it. Nothing of the row is told to anybody else. */
const digestCheck: KeyCheck = {
  name: 'digest',
  reason: 'unknown',
  holds: (stored, presented) => sameDigest(stored.digest, presented.digest),
  expected: () => 'that of the stored key',
  found: (stored, presented) =>
    sameDigest(stored.digest, presented.digest)
      ? 'that of the stored key'
      : 'another: the key has the id of a stored one, and another secret',
}

/** Everything that refuses a key that the store has, in the fixed order. */
const keyChecks: readonly KeyCheck[] = [
  digestCheck,
  {
    name: 'stored environment',
    reason: 'environment',
    holds: (stored, presented) => stored.environment === presented.environment,
    expected: ({ environment }) => environment,
    found: ({ environment }) => environment,
  },
  {
    name: 'revoked',
    reason: 'revoked',
    holds: ({ revokedAt }) => revokedAt === null,
    expected: () => 'no',
    found: ({ revokedAt, revokedReason }) =>
      revokedAt === null ? 'no' : `at ${showInstant(revokedAt)}${revokedReason ? `: ${show(revokedReason)}` : ''}`,
  },
  {
    name: 'expires',
    reason: 'expired',
    holds: ({ expiresAt }, _, now) => expiresAt === null || now < expiresAt,
    expected: (_, now) => `later than ${showInstant(now)}`,
    found: ({ expiresAt, replacedBy }) =>
      `${expiresAt === null ? 'never' : showInstant(expiresAt)}${replacedBy ? `; replaced by ${show(replacedBy)}` : ''}`,
  },
]

/**
 * Decides on a presented key by what the store has under its id.
 *
 * @param now milliseconds since the epoch
 * @returns what the key grants, or why it is refused
 */
export function judgeStoredKey(
  stored: StoredKey | undefined,
  presented: PresentedKey,
  now: number,
): ApiKeyAuth | Reason {
  if (stored === undefined) return 'unknown'
  for (const check of keyChecks) if (!check.holds(stored, presented, now)) return check.reason
  const { id, subject, tenant, name, expiresAt } = stored
  const scopes = shareScopes(JSON.stringify(stored.scopes))
  return createApiKeyAuth({ subject, scopes, tenant, keyId: id, name }, expiresAt)
}

/** The same checks, told to people. Who presents another key with the id of a stored one learns only that. */
export function reportStoredKey(
  stored: StoredKey | undefined,
  presented: PresentedKey,
  now: number,
): readonly CheckReport[] {
  const inStore = { name: 'store', reason: 'unknown', expected: `a key with the id ${presented.id}` } as const
  if (stored === undefined) return [{ ...inStore, passed: false, found: 'none' }]
  const told = digestCheck.holds(stored, presented, now) ? keyChecks : [digestCheck]
  const reports = told.map((check) => ({
    name: check.name,
    passed: check.holds(stored, presented, now),
    reason: check.reason,
    expected: check.expected(presented, now),
    found: check.found(stored, presented),
  }))
  return [{ ...inStore, passed: true, found: `a key with the id ${presented.id}` }, ...reports]
}

// By their JSON, since stores make a new list for each answer: keys with the same scopes share one frozen list, which
// is a copy that the store cannot change. A list of texts was checked for before, so that the cast holds.
const shareScopes = createScopeReader((json) => Object.freeze(JSON.parse(json) as string[]))

/** In constant time. Digests give little away anyhow, but it costs nothing. */
export function sameDigest(stored: string, presented: string): boolean {
  const [a, b] = [Buffer.from(stored), Buffer.from(presented)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Also for instants that no Date can hold, which a store of an application may answer. */
function showInstant(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
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
