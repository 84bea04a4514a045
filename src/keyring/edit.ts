import { ArgumentError } from '../core/argument-error.js'
import { formatGiven } from '../core/given.js'
import type { StoredKey } from '../store/contract.js'
import { checkNames, checkOptionalText } from './arguments.js'
import type { EditKeyOptions } from './contract.js'

/**
 * Reads what is to become of a key.
 *
 * @returns what it does to the key that is stored; it throws a TypeError for a scope that the key does not have
 * @throws {TypeError} for a wrong option, and for none
 */
export function readEdit(given: EditKeyOptions): (key: StoredKey) => StoredKey {
  checkNames('edit()', given, ['name', 'scopes', 'actor'])
  const { name: newName, scopes } = given
  if (newName === undefined && scopes === undefined) throw new TypeError('edit() needs a name or scopes')
  const name = checkOptionalText(newName, 'name')
  const kept = scopes === undefined ? undefined : checkScopes(scopes)
  return (key) => ({
    ...key,
    ...(newName !== undefined && { name }),
    ...(kept !== undefined && { scopes: keepScopes(key.scopes, kept) }),
  })
}

function checkScopes(scopes: unknown): readonly string[] {
  if (Array.isArray(scopes) && scopes.length > 0 && scopes.every((scope) => typeof scope === 'string'))
    return [...scopes]
  throw new ArgumentError('scopes', 'must name at least one scope that the key has')
}

/** In the order in which the key has them: an order of its own would be a change. */
function keepScopes(stored: readonly string[], kept: readonly string[]): readonly string[] {
  const added = kept.filter((scope) => !stored.includes(scope))
  if (added.length === 0) return stored.filter((scope) => kept.includes(scope))
  const [not, has] = [added, stored].map((scopes) => scopes.slice(0, 10).map(formatGiven).join(', '))
  throw new ArgumentError(
    'scopes',
    `can only be taken away: the key has ${has || 'none'}, and not ${not}; make another key for more`,
  )
}
