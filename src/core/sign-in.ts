import type { JWTPayload } from 'jose'
import { isText, own } from './own.js'

type Claims = Readonly<JWTPayload>

/** 9999-12-31T23:59:59Z, the last instant that every date format can write. */
export const MAX_TIME = 253_402_300_799

/** Whether a value is seconds since the epoch (RFC 7519 §2, NumericDate). */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_TIME
}

// A claim of another type is no reason to refuse the token: only requireAuthentication() asks for it, and refuses null.

/** How the subject signed in: the `acr` claim. `null` for none, and for what is no text. */
export function acrOf(claims: Claims): string | null {
  const acr = own(claims, 'acr')
  return isText(acr) ? acr : null
}

/** When the subject signed in: the `auth_time` claim. `null` for none, and for what is no time. */
export function authTimeOf(claims: Claims): Date | null {
  const seconds = own(claims, 'auth_time')
  return isTime(seconds) ? new Date(seconds * 1000) : null
}
