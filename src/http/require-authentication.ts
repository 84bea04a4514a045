import { readOptions } from '../config/checks.js'
import { ArgumentError } from '../core/argument-error.js'
import { type Auth, credentialOf } from '../core/auth.js'
import { InsufficientAuthenticationError, UnavailableError } from '../core/errors.js'
import type { VerifierTime } from '../verifier/verifier-time.js'
import type { Guard } from './guard.js'
import { refuseUncalled } from './uncalled.js'

/** What {@link requireAuthentication} demands: one of the two at least. */
export interface AuthenticationOptions {
  /**
   * Authentication context classes as the issuer writes them into the `acr` claim, the preferred first: one text, or a list
   * of at most 20. The token must have one of them, character for character: nothing is known of an order among them.
   * Each has 1 to 200 characters: printable ASCII without space, `"` and `\`, since the challenge names them.
   */
  acr?: string | readonly string[] | undefined
  /**
   * How long ago the subject may have signed in (`auth_time`), in whole seconds, from 0 to 31 536 000. The
   * verifier's `clockToleranceSeconds` are added.
   */
  maxAgeSeconds?: number | undefined
}

/** A year: more is most likely meant in milliseconds. */
const LONGEST_AGE_SECONDS = 31_536_000
const MOST_VALUES = 20

/**
 * Passes a request whose token says that its subject signed in as the route demands. It looks at each request anew, so that
 * a token that passed a minute ago may be too old now. API keys are refused, and tokens without the claim, with a claim of
 * another type, or from the future.
 *
 * @throws {TypeError} for nothing, something unknown, a second argument, or a value that no challenge could name
 * @see {@link https://www.rfc-editor.org/rfc/rfc9470 RFC 9470}
 */
export function requireAuthentication(...given: [options: AuthenticationOptions]): Guard {
  refuseUncalled('requireAuthentication', given.slice(1), 'requireAuthentication({ maxAgeSeconds: 300 })')
  if (given.length > 1) {
    throw new TypeError(
      'requireAuthentication() takes one object: write requireAuthentication({ acr, maxAgeSeconds: 300 })',
    )
  }
  const required = readRequired(given[0])
  return {
    name: `requireAuthentication(${JSON.stringify(required)})`,
    check(auth, _request, { realm, time }) {
      let lack: string | undefined
      try {
        lack = lackOfContext(auth, required.acrValues) ?? lackOfTime(auth, required.maxAgeSeconds, time)
      } catch (error) {
        // A clock that throws says nothing of the credential.
        return new UnavailableError(error, 0, credentialOf(auth))
      }
      if (lack === undefined) return 'pass'
      return new InsufficientAuthenticationError(realm, required, credentialOf(auth), lack)
    },
  }
}

interface Required {
  readonly acrValues: readonly string[] | undefined
  readonly maxAgeSeconds: number | undefined
}

function readRequired(given: unknown): Required {
  const { acr, maxAgeSeconds } = readOptions(given, ['acr', 'maxAgeSeconds'], 'option of requireAuthentication()')
  if (acr === undefined && maxAgeSeconds === undefined) {
    throw new TypeError("requireAuthentication() needs acr or maxAgeSeconds, for example { acr: 'mfa' }")
  }
  return {
    acrValues: acr === undefined ? undefined : readContexts(acr),
    maxAgeSeconds: maxAgeSeconds === undefined ? undefined : readAge(maxAgeSeconds),
  }
}

function readContexts(acr: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(acr) ? [...acr] : [acr]
  if (values.length > 0 && values.length <= MOST_VALUES && values.every(isContext)) return [...new Set(values)]
  throw new ArgumentError(
    'acr',
    `must be a text of 1 to 200 characters, printable ASCII without space, " and \\, or a list of 1 to ${MOST_VALUES} such`,
  )
}

function isContext(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21\x23-\x5B\x5D-\x7E]{1,200}$/.test(value)
}

function readAge(seconds: unknown): number {
  if (Number.isInteger(seconds) && (seconds as number) >= 0 && (seconds as number) <= LONGEST_AGE_SECONDS) {
    return seconds as number
  }
  throw new ArgumentError('maxAgeSeconds', `must be a whole number of seconds from 0 to ${LONGEST_AGE_SECONDS}`)
}

// What is lacking, in words of our own: the error's cause, which NODE_DEBUG=vantage-auth shows.

function lackOfContext(auth: Auth, acrValues: readonly string[] | undefined): string | undefined {
  if (auth.kind !== 'access_token') return 'an API key says nothing of a sign-in'
  if (acrValues === undefined) return undefined
  if (typeof auth.acr !== 'string') return 'the token has no acr'
  return acrValues.includes(auth.acr) ? undefined : 'the acr of the token is none of those that the route demands'
}

/** Of a verifier of the application's own nothing is sure but that its Auth has a subject and scopes. */
function lackOfTime(auth: Auth, maxAgeSeconds: number | undefined, time: VerifierTime): string | undefined {
  if (maxAgeSeconds === undefined || auth.kind !== 'access_token') return undefined
  const signedInAt: unknown = auth.authTime
  if (!(signedInAt instanceof Date)) return 'the token has no auth_time'
  const { clockToleranceSeconds: tolerance } = time
  const age = (time.now() - signedInAt.getTime()) / 1000
  // Written so that NaN, of a clock or a Date, is refused.
  if (age >= -tolerance && age <= maxAgeSeconds + tolerance) return undefined
  return age < 0 ? 'the auth_time of the token is in the future' : 'the sign-in of the token is too long ago'
}
