import { ArgumentError } from '../core/argument-error.js'

export const DEFAULT_ISSUER = 'https://auth.vantage.omnivector.solutions'

/** @throws {ArgumentError} for what is no issuer identifier (RFC 8414 §2) */
export function checkIssuer(value: unknown, name: string): string {
  if (typeof value !== 'string') {
    throw new ArgumentError(name, `must be the issuer's URL, exactly as in its tokens' iss claim`)
  }
  const url = checkUrl(value, name)
  if (value.includes('?') || value.includes('#')) {
    throw new ArgumentError(name, 'must have no query and no fragment (RFC 8414 §2)')
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new ArgumentError(name, 'must be an https URL')
  return value
}

/** A URL without user and password. The value is never shown: it may hold a secret. */
export function checkUrl(value: string, name: string): URL {
  // The URL parser would silently drop white space, which the comparison with `iss` does not.
  const url = /^\S+$/.test(value) && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined) throw new ArgumentError(name, `is not a URL; it looks like ${DEFAULT_ISSUER}`)
  if (url.username !== '' || url.password !== '') throw new ArgumentError(name, 'must not contain a user or a password')
  return url
}
