import { LRUCache } from 'lru-cache'
import { digestApiKey } from '../../api-key/format.js'
import { sameDigest } from '../../api-key/verdict.js'
import type { Keyring } from '../../keyring/contract.js'
import type { KeyStore } from '../../store/contract.js'
import { notice } from '../terminal.js'
import type { FoundKey } from './key-finder.js'

/**
 * - `revoked`: it was ended now.
 * - `already`: it had been ended before.
 * - `forged`: a key with this id is stored, and it is another one.
 * - `unknown`: the store has no key with this id.
 * - `failed`: the store was out of reach.
 */
export type Outcome = 'revoked' | 'already' | 'forged' | 'unknown' | 'failed'

interface Reason {
  readonly reason: string
  readonly actor: string | undefined
}

/** Outcomes that are remembered, since a log repeats keys. */
const MOST_REMEMBERED = 10_000

/**
 * Ends keys whose whole text is what the store keeps the digest of. An id and a checksum prove nothing: ids are public, and
 * everybody can write a key with the id of somebody else's into a log, with a right checksum.
 *
 * @param onFailure is given the error of the store. Further keys are not tried.
 */
export function createRevoker(
  keyring: Keyring,
  store: KeyStore,
  record: Reason,
  onFailure: (error: unknown) => void,
): (found: FoundKey) => Promise<Outcome> {
  const outcomes = new LRUCache<string, Outcome>({ max: MOST_REMEMBERED })
  let failed = false

  async function revoke(id: string, digest: string): Promise<Outcome> {
    const stored = await store.find(id)
    if (stored === undefined) {
      notice(`Key ${id} is not in this store: it is another store's, or nobody's.`)
      return 'unknown'
    }
    if (!sameDigest(stored.digest, digest)) {
      notice(`Key ${id} of this store is another one than the text that was found; it was left alone.`)
      return 'forged'
    }
    if (stored.revokedAt !== null) {
      notice(`Key ${id} was revoked before.`)
      return 'already'
    }
    const { subject } = await keyring.revoke(id, record)
    notice(`Key ${id} of ${subject} is revoked.`)
    return 'revoked'
  }

  return async ({ id, key }) => {
    const digest = digestApiKey(key)
    const known = outcomes.get(digest)
    if (known !== undefined) return known
    if (failed) return 'failed'
    try {
      const outcome = await revoke(id, digest)
      outcomes.set(digest, outcome)
      return outcome
    } catch (error) {
      failed = true
      onFailure(error)
      return 'failed'
    }
  }
}
