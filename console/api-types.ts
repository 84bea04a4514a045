import type { Environment } from '../src/core/environments.js'
import type { AuditAction, DayUsage, KeyState } from '../src/store/contract.js'

// What the console's API sends, as JSON: the server writes it and the page reads it. Instants are texts such as
// `2026-11-25T12:00:00.000Z`, days are UTC.

/** `GET api/session`: who is asking, and what they may do. */
export interface SessionJson {
  readonly actor: string
  /** Only keys of this subject are shown; `null` for all subjects of the tenant. */
  readonly subject: string | null
  /** `null` for all tenants. */
  readonly tenant: string | null
  readonly canWrite: boolean
  /** What a new key may grant, in the order of the vocabulary. */
  readonly scopes: readonly string[]
  /** The keyring's own comes first: new keys are of it unless the request says otherwise. */
  readonly environments: readonly Environment[]
  /** Life of a key that is made without one, such as `365d`; `null` for no end. */
  readonly defaultLife: string | null
  readonly apiUrl: string
  readonly signInUrl: string | null
  /** New keys end at this instant at the latest, whatever life they are given. Left out where there is no such bound. */
  readonly notAfter?: string
}

/** A key, as `vantage-auth keys show --json` writes it. */
export interface KeyJson {
  readonly id: string
  readonly hint: string
  readonly name: string | null
  readonly subject: string
  readonly tenant: string | null
  readonly environment: Environment
  readonly scopes: readonly string[]
  readonly state: KeyState
  readonly createdAt: string
  readonly createdBy: string | null
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
  readonly revokedBy: string | null
  readonly revokedReason: string | null
  readonly replaces: string | null
  readonly replacedBy: string | null
  /** With `?usage=N`: uses on each of the last N days, oldest first, today last. */
  readonly usage?: readonly number[]
}

/** `GET api/keys`. `cursor` leads to the next page, and is `null` on the last one. */
export interface KeyListJson {
  readonly keys: readonly KeyJson[]
  readonly cursor: string | null
}

/** `POST api/keys`. The only time that the key is sent. */
export interface CreatedKeyJson {
  readonly key: string
  readonly record: KeyJson
}

/** `POST api/keys/:id/rotate`. */
export interface RotatedKeyJson extends CreatedKeyJson {
  readonly previous: KeyJson
}

/** `GET api/keys/:id/usage`. Days without uses are left out. */
export interface KeyUsageJson {
  /** All uses ever. */
  readonly total: number
  readonly lastUsedAt: string | null
  readonly days: readonly DayUsage[]
}

/** `GET api/usage`: of all keys that the caller may see, within the days that were asked for. */
export interface TotalUsageJson {
  readonly total: number
  readonly days: readonly DayUsage[]
  /** The twenty most used keys, most used first. */
  readonly keys: readonly { readonly id: string; readonly count: number }[]
}

/** One entry of `GET api/audit`, newest first. */
export interface AuditEntryJson {
  readonly seq: number
  readonly at: string
  readonly action: AuditAction
  readonly keyId: string | null
  readonly successorId: string | null
  readonly actor: string | null
  readonly reason: string | null
  readonly detail: string | null
  readonly subject: string | null
  readonly tenant: string | null
}

/** `GET api/audit`. */
export interface AuditJson {
  readonly entries: readonly AuditEntryJson[]
  readonly cursor: string | null
}

/** The names of the events of `GET api/events` that carry {@link EventJson}. Others are `reload` and `session-expired`. */
export const KEY_EVENTS = ['created', 'changed', 'revoked', 'first-use'] as const

export interface EventJson {
  readonly id: string
  readonly at: string
  readonly state: KeyState
}

/**
 * The page sends it with what makes a key: a random id, so that a request that the browser sends twice is done once. The
 * answer to the second one has the header too.
 */
export const REQUEST_HEADER = 'Vantage-Console-Request'

/** What every refusal sends. */
export interface ErrorJson {
  readonly error: string
  readonly error_description: string
}
