import { ArgumentError } from '../core/argument-error.js'
import { formatGiven } from '../core/given.js'
import { DOCUMENTED_SCOPES, isScopeToken } from '../core/scope.js'
import { splitList } from './checks.js'

/**
 * The scopes that keys may be given: the eight of the Vantage API, then those that a deployment adds.
 *
 * @throws {TypeError} for an added scope that is no scope token (RFC 6749 §3.3)
 */
export function readVocabulary(added: readonly string[] = []): readonly string[] {
  if (!Array.isArray(added)) throw new ArgumentError('scopes', `must be a list of scopes, for example ['reports:read']`)
  for (const scope of added) {
    if (!isScopeToken(scope)) {
      throw new ArgumentError(
        'scopes',
        `must hold scope tokens (printable ASCII, not empty, no space, comma, quote or backslash), not ${formatGiven(scope)}`,
      )
    }
  }
  return Object.freeze([...new Set<string>([...DOCUMENTED_SCOPES, ...added])])
}

/**
 * Checks the scopes of a new key against a vocabulary. Order is kept, duplicates are dropped.
 *
 * @param name what the message calls the list
 * @throws {TypeError} for no scope at all, and for one outside the vocabulary, with the valid ones
 */
export function checkVocabulary(scopes: unknown, vocabulary: readonly string[], name: string): readonly string[] {
  const valid = `valid are ${vocabulary.join(', ')}`
  if (!Array.isArray(scopes) || scopes.length === 0) {
    throw new ArgumentError(name, `must name at least one scope; ${valid}`)
  }
  const unknown = scopes.filter((scope) => !vocabulary.includes(scope))
  if (unknown.length > 0) {
    const quoted = unknown.slice(0, 10).map(formatGiven)
    throw new ArgumentError(name, `must be known scopes, not ${quoted.join(', ')}; ${valid}`)
  }
  return Object.freeze([...new Set<string>(scopes)])
}

/**
 * Scopes allowed in new keys besides the documented ones. [`VANTAGE_SCOPES`]
 *
 * @throws {TypeError} for one that is not a scope token
 */
export function environmentScopes(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const scopes = splitList(env.VANTAGE_SCOPES ?? '')
  if (!scopes.every(isScopeToken)) {
    throw new ArgumentError('VANTAGE_SCOPES', 'must be scope tokens (RFC 6749 §3.3), separated by commas or spaces')
  }
  return scopes
}
