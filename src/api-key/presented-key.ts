import { formatChoice } from '../core/choice.js'
import type { Environment } from '../core/environments.js'
import type { Reason } from '../core/errors.js'
import type { CheckReport } from '../token/check-report.js'
import { KEY_BODY_LENGTH, KEY_PREFIXES, type ParsedApiKey, parseApiKey } from './format.js'

/** A key that is refused before any store is asked. */
export interface UnacceptableKey {
  readonly reason: Reason
  /** Public id, where the key is well-formed. */
  readonly id: string | undefined
}

/** One check of a key that needs no store. */
interface KeyStep {
  readonly name: string
  readonly reason: Reason
  holds(parsed: ReturnType<typeof parseApiKey>, environment: Environment): boolean
  /** For people: what would have passed. */
  expected(environment: Environment): string
  /** For people: what is there, whether it passes or not. Of the key only what is public. */
  found(parsed: ReturnType<typeof parseApiKey>, length: number): string
}

const BODY = `prefix, then ${KEY_BODY_LENGTH} letters and digits`
const FORMAT = `${formatChoice(KEY_PREFIXES.map((prefix) => `"${prefix}"`))} as ${BODY}`

/** In the fixed order. */
const steps: readonly KeyStep[] = [
  {
    name: 'format',
    reason: 'malformed',
    holds: (parsed) => parsed !== 'malformed',
    expected: () => FORMAT,
    found: (parsed, length) => (parsed === 'malformed' ? `other text, ${length} characters long` : BODY),
  },
  {
    name: 'checksum',
    reason: 'checksum',
    holds: (parsed) => parsed !== 'checksum',
    expected: () => 'the last six characters fit those before them',
    found: (parsed) => (parsed === 'checksum' ? 'they do not: the key is mistyped or cut' : 'they fit'),
  },
  {
    name: 'environment',
    reason: 'environment',
    holds: (parsed, environment) => typeof parsed === 'string' || parsed.environment === environment,
    expected: (environment) => `${environment}, as the service is configured`,
    found: (parsed) => (typeof parsed === 'string' ? 'not known' : parsed.environment),
  },
]

/**
 * Makes the checks of a key that need no store, one after the other in the fixed order. It does not check that the key was
 * ever issued.
 *
 * @param environment the deployment whose keys the service accepts
 * @param report is told of each check that is made
 */
export function parsePresentedKey(
  token: string,
  environment: Environment,
  report?: (check: CheckReport) => void,
): ParsedApiKey | UnacceptableKey {
  const parsed = parseApiKey(token)
  const id = typeof parsed === 'string' ? undefined : parsed.id
  for (const { name, reason, holds, expected, found } of steps) {
    const passed = holds(parsed, environment)
    report?.({ name, reason, passed, expected: expected(environment), found: found(parsed, token.length) })
    if (!passed) return { reason, id }
  }
  // What is a text has failed one of the first two steps.
  return parsed as ParsedApiKey
}
