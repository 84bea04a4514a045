import { inspect } from 'node:util'
import { digestApiKey, generateApiKey } from '../api-key/format.js'
import type { StoredKey } from '../store/contract.js'
import type { KeyRecord } from './records.js'

/** What a new key is made of. */
export type NewKey = Pick<
  StoredKey,
  'environment' | 'subject' | 'scopes' | 'name' | 'tenant' | 'createdBy' | 'replaces'
>

/**
 * Makes a key, and what a store keeps of it.
 *
 * @param lifeMs `null` for a key without an end
 */
export function createNewKey(
  values: NewKey,
  lifeMs: number | null,
  createdAt = Date.now(),
): { key: string; stored: StoredKey } {
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
    expiresAt: lifeMs === null ? null : createdAt + lifeMs,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces,
    replacedBy: null,
  }
  return { key, stored }
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
