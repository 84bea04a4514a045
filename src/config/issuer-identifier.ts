import { ArgumentError } from '../core/argument-error.js'

export const DEFAULT_ISSUER = 'https://auth.vantage.omnivector.solutions'

/** @throws {ArgumentError} for what is no issuer identifier (RFC 8414 §2) */
export function checkIssuer(value: unknown, name: string): string {
  if (typeof value !== 'string') {
    throw new ArgumentError(name, `must be the issuer's URL, exactly as in its tokens' iss claim`)
  }
  if (value.startsWith(SPIFFE))
    throw new ArgumentError(name, "is a trust domain; give its name as the entry's trustDomain")
  const url = checkUrl(value, name)
  if (value.includes('?') || value.includes('#')) {
    throw new ArgumentError(name, 'must have no query and no fragment (RFC 8414 §2)')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new ArgumentError(name, 'must be an https URL')
  return value
}

const SPIFFE = 'spiffe://'

/**
 * The name of a SPIFFE trust domain, such as `acme.org`.
 *
 * @see {@link https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md#21-trust-domain SPIFFE ID §2.1, §2.3}
 */
export function checkTrustDomain(value: unknown, name: string): string {
  if (typeof value === 'string' && /^[a-z0-9._-]{1,255}$/.test(value)) return value
  throw new ArgumentError(
    name,
    'must be the name of a SPIFFE trust domain without spiffe://, for example "acme.org": 1 to 255 lower case letters, digits, dots, hyphens and underscores',
  )
}

/** What stands for the issuer of the tokens of a trust domain, which name none. */
export function issuerOfTrustDomain(trustDomain: string): string {
  return `${SPIFFE}${trustDomain}`
}

/**
 * The issuer of tokens as an `Auth` has it: a URL, or a trust domain.
 *
 * @throws {ArgumentError} for anything else
 */
export function checkTokenIssuer(value: unknown, name: string): string {
  if (typeof value !== 'string' || !value.startsWith(SPIFFE)) return checkIssuer(value, name)
  return issuerOfTrustDomain(checkTrustDomain(value.slice(SPIFFE.length), name))
}

/** A URL without user and password. The value is never shown: it may hold a secret. */
export function checkUrl(value: string, name: string): URL {
  // The URL parser would silently drop white space, which the comparison with `iss` does not.
  const url = /^\S+$/.test(value) && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined) throw new ArgumentError(name, `is not a URL; it looks like ${DEFAULT_ISSUER}`)
  if (url.username !== '' || url.password !== '') throw new ArgumentError(name, 'must not contain a user or a password')
  return url
}
