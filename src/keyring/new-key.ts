import { inspect } from 'node:util'
import { digestApiKey, generateApiKey } from '../api-key/format.js'
import { ArgumentError } from '../core/argument-error.js'
import type { StoredKey } from '../store/contract.js'
import type { KeyRecord } from './records.js'

/** What a new key is made of. */
export type NewKey = Pick<
  StoredKey,
  'environment' | 'subject' | 'scopes' | 'name' | 'tenant' | 'createdBy' | 'replaces'
>

/** How long a key lives: the shorter one of the two. */
export interface Life {
  /** `null` for no end. */
  readonly lifeMs: number | null
  /** The last possible end, in milliseconds since the epoch. Default: none. */
  readonly notAfter?: number | undefined
}

/**
 * Makes a key, and what a store keeps of it.
 *
 * @throws {ArgumentError} for an end that is past
 */
export function createNewKey(values: NewKey, life: Life, createdAt = Date.now()): { key: string; stored: StoredKey } {
  const { environment, subject, scopes, name, tenant, createdBy, replaces } = values
  const { id, key } = generateApiKey(environment)
  const stored = {
    id,
    digest: digestApiKey(key),
    subject,
    tenant,
    name,
    environment,
    scopes,
    createdAt,
    createdBy,
    expiresAt: endOf(life, createdAt),
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces,
    replacedBy: null,
  }
  return { key, stored }
}

function endOf({ lifeMs, notAfter }: Life, createdAt: number): number | null {
  if (notAfter !== undefined && notAfter <= createdAt) throw new ArgumentError('notAfter', 'must not be past')
  if (lifeMs === null) return notAfter ?? null
  return Math.min(createdAt + lifeMs, notAfter ?? Number.POSITIVE_INFINITY)
}

/**
 * Adds the key to what is returned to the caller: `result.key` is there, and logging, serializing, spreading and cloning
 * leave it out.
 */
export function showOnce<T extends { readonly record: KeyRecord }>(
  key: string,
  records: T,
): T & { readonly key: string } {
  return Object.freeze(
    Object.defineProperties({ ...records } as T & { readonly key: string }, {
      key: { value: key },
      toJSON: { value: () => records },
      [inspect.custom]: { value: () => ({ key: records.record.hint, ...records }) },
    }),
  )
}
