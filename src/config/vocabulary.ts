import { ArgumentError } from '../core/argument-error.js'
import { formatGiven } from '../core/given.js'
import { DOCUMENTED_SCOPES, isScopeToken, type Scope } from '../core/scope.js'
import { checkFlag, optionSetting, readOptions, type Setting, splitList } from './checks.js'

/** What there are scopes of, besides the environment. Each wins over its variable. */
export interface VocabularyOptions {
  /** Scopes of the application's own. [`VANTAGE_SCOPES`, separated by commas or spaces] Default: none. */
  scopes?: readonly string[] | undefined
  /**
   * `false` takes the eight scopes of the Vantage API out; `scopes` must then name others.
   * [`VANTAGE_DOCUMENTED_SCOPES`] Default: `true`.
   */
  documentedScopes?: boolean | undefined
}

/**
 * The scopes that keys may be given: the eight of the Vantage API, unless they are taken out, then those that a deployment
 * adds.
 *
 * @throws {TypeError} for an added scope that is no scope token (RFC 6749 §3.3), for anything but a boolean, and where there
 *   is no scope at all
 */
export function readVocabulary(
  { scopes, documentedScopes }: VocabularyOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): readonly string[] {
  const added = scopes === undefined ? environmentScopes(env) : checkAdded(scopes)
  const documented = documentedSetting(documentedScopes, env)
  if (documented.value === undefined || checkFlag(documented)) {
    return Object.freeze([...new Set<string>([...DOCUMENTED_SCOPES, ...added])])
  }
  if (added.length > 0) return Object.freeze([...new Set(added)])
  throw new ArgumentError(
    documented.name,
    'takes the documented scopes out and leaves none; name your own in the option scopes or in VANTAGE_SCOPES',
  )
}

/**
 * Whether a text from outside is a scope of the vocabulary, so that it can be given to `keyring.create()`.
 *
 * At run time the vocabulary is the eight scopes of the Vantage API (unless `VANTAGE_DOCUMENTED_SCOPES=false`) and those of
 * `VANTAGE_SCOPES`. A declaration of `VantageScopes` adds to the types alone: name the same scopes in `VANTAGE_SCOPES`, or
 * in `options`, as for `createKeyring()`.
 *
 * @throws {TypeError} for wrong options or a wrong variable
 */
export function isScope(text: unknown, options?: VocabularyOptions): text is Scope
/** For `texts.filter(isScope)`. */
export function isScope(text: unknown, index: number, texts: readonly unknown[]): text is Scope
export function isScope(text: unknown, second: VocabularyOptions | number = {}): text is Scope {
  const given =
    typeof second === 'number' ? {} : readOptions(second, ['scopes', 'documentedScopes'], 'option of isScope()')
  return (readVocabulary(given as VocabularyOptions) as readonly unknown[]).includes(text)
}

function checkAdded(added: unknown): readonly string[] {
  if (!Array.isArray(added)) throw new ArgumentError('scopes', `must be a list of scopes, for example ['reports:read']`)
  for (const scope of added) {
    if (!isScopeToken(scope)) {
      throw new ArgumentError(
        'scopes',
        `must hold scope tokens (printable ASCII, not empty, no space, comma, quote or backslash), not ${formatGiven(scope)}`,
      )
    }
  }
  return added
}

/** The option wins over the variable; an empty variable is unset. */
function documentedSetting(option: unknown, env: NodeJS.ProcessEnv): Setting {
  if (option !== undefined) return optionSetting(option, 'documentedScopes')
  const value = env.VANTAGE_DOCUMENTED_SCOPES?.trim() || undefined
  return { value, name: 'VANTAGE_DOCUMENTED_SCOPES', fromEnvironment: true }
}

function environmentScopes(env: NodeJS.ProcessEnv): readonly string[] {
  const scopes = splitList(env.VANTAGE_SCOPES ?? '')
  if (!scopes.every(isScopeToken)) {
    throw new ArgumentError('VANTAGE_SCOPES', 'must be scope tokens (RFC 6749 §3.3), separated by commas or spaces')
  }
  return scopes
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
