/** Whether a value can be the realm of a challenge: printable ASCII without `"` and `\`, not empty. */
export function isRealm(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20\x21\x23-\x5B\x5D-\x7E]+$/.test(value)
}

/** The parts of one Bearer challenge. */
export interface Challenge {
  /** Protection space, which the caller has checked with {@link isRealm}. */
  realm: string
  /** Error code of RFC 6750 §3.1; left out when the request carried no credential. */
  error?: string | undefined
  /** Fixed sentence that goes with `error`. */
  description?: string | undefined
  /** The scopes that the route requires, in the order it names them. */
  scope?: readonly string[] | undefined
  /** The authentication contexts of which the route requires one, the preferred first. */
  acrValues?: readonly string[] | undefined
  /** How long ago the subject may have signed in, in seconds. */
  maxAgeSeconds?: number | undefined
}

/**
 * Writes the value of `WWW-Authenticate`. It quotes and never escapes: nothing that a client sent may reach it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6750#section-3 RFC 6750 §3}
 * @see {@link https://www.rfc-editor.org/rfc/rfc9470#section-3 RFC 9470 §3} for `acr_values` and `max_age`
 */
export function formatChallenge({ realm, error, description, scope, acrValues, maxAgeSeconds }: Challenge): string {
  let challenge = `Bearer realm="${realm}"`
  if (error !== undefined) challenge += `, error="${error}"`
  if (description !== undefined) challenge += `, error_description="${description}"`
  if (scope !== undefined) challenge += `, scope="${scope.join(' ')}"`
  if (acrValues !== undefined) challenge += `, acr_values="${acrValues.join(' ')}"`
  if (maxAgeSeconds !== undefined) challenge += `, max_age="${maxAgeSeconds}"`
  return challenge
}
