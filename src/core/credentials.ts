/** Longest bearer credential that is looked at, in bytes. */
export const MAX_CREDENTIAL_BYTES = 8192

/** What the Authorization header lines of one request hold. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'bearer'; readonly token: string }

const NONE: Credential = { kind: 'none' }
const REPEATED: Credential = { kind: 'repeated' }
const MALFORMED: Credential = { kind: 'malformed' }

const SCHEME = 'bearer'
const SPACE = 0x20

/**
 * Takes the one bearer credential out of a request's Authorization header lines.
 *
 * It checks the length of the credential and not its characters: API keys and access tokens have narrower formats than
 * `b64token`, and those are checked when a credential is seen for the first time.
 *
 * @param authorization one line, all lines, or nothing
 * @returns `none` for no header, an empty one and another scheme; `repeated` for two or more lines, even identical ones
 * @see {@link https://www.rfc-editor.org/rfc/rfc6750#section-2.1 RFC 6750 §2.1}
 */
export function parseAuthorization(authorization: string | readonly string[] | undefined): Credential {
  if (authorization === undefined) return NONE
  if (typeof authorization !== 'string') {
    return authorization.length > 1 ? REPEATED : parseAuthorization(authorization[0])
  }
  if (!beginsWithScheme(authorization)) return NONE
  let start = SCHEME.length
  while (authorization.charCodeAt(start) === SPACE) start++
  const length = authorization.length - start
  if (length === 0 || length > MAX_CREDENTIAL_BYTES) return MALFORMED
  return { kind: 'bearer', token: authorization.slice(start) }
}

/** RFC 9110 §11.1: the scheme is case-insensitive. `Bearer` before anything but a space or the end is another scheme. */
function beginsWithScheme(line: string): boolean {
  const end = line.charCodeAt(SCHEME.length)
  return (end === SPACE || Number.isNaN(end)) && line.slice(0, SCHEME.length).toLowerCase() === SCHEME
}
