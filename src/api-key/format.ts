import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Environment } from '../core/environments.js'

/** What can be read off a well-formed key without a store. */
export interface ParsedApiKey {
  readonly environment: Environment
  /** Public, random identifier: the primary key of the store, and what logs show. */
  readonly id: string
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** By character code. */
const BASE62_VALUES: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const value = BASE62.indexOf(String.fromCharCode(code))
  return value === -1 ? undefined : value
})
const PREFIX_LENGTH = 'vak_live_'.length
const ID_LENGTH = 12
const SECRET_LENGTH = 43 // 62^43 > 2^256
const CHECKSUM_LENGTH = 6
const KEY_LENGTH = PREFIX_LENGTH + ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH

/** Whether a credential claims to be an API key, well-formed or not. No JWT begins like this. */
export function looksLikeApiKey(token: string): boolean {
  return token.startsWith('vak_')
}

/** Makes a new key with 256 random bits. The caller stores {@link digestApiKey} of it and shows the key once. */
export function generateApiKey(environment: Environment): { readonly id: string; readonly key: string } {
  const id = randomBase62(ID_LENGTH)
  const body = `vak_${environment}_${id}${randomBase62(SECRET_LENGTH)}`
  return { id, key: body + checksum(body) }
}

/**
 * Checks the format and the checksum of a key, so that a mistyped or truncated one never reaches a store.
 * It does not check that the key was ever issued.
 */
export function parseApiKey(token: string): ParsedApiKey | 'malformed' | 'checksum' {
  const environment = token.startsWith('vak_live_') ? 'live' : token.startsWith('vak_test_') ? 'test' : undefined
  if (environment === undefined || token.length !== KEY_LENGTH) return 'malformed'
  const end = KEY_LENGTH - CHECKSUM_LENGTH
  let stated = 0
  for (let i = PREFIX_LENGTH; i < KEY_LENGTH; i++) {
    const value = BASE62_VALUES[token.charCodeAt(i)]
    if (value === undefined) return 'malformed'
    if (i >= end) stated = stated * 62 + value
  }
  return stated === crc32(token.slice(0, end)) ? { environment, id: idOf(token) } : 'checksum'
}

/** The id of a key, if it is one: {@link parseApiKey} says so. */
export function idOf(token: string): string {
  return token.slice(PREFIX_LENGTH, PREFIX_LENGTH + ID_LENGTH)
}

/** What a store keeps of a key. A fast hash is right for 256 random bits; a slow one would only serve an attacker's load. */
export function digestApiKey(key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`
}

/** SHA-256 of a credential, for memory alone: one character a byte takes half of what hexadecimal takes. */
export function fingerprint(credential: string): string {
  return hash('sha256', credential, 'binary')
}

/** The public part of a key, as tables and logs show it. */
export function apiKeyHint(environment: Environment, id: string): string {
  return `vak_${environment}_${id}…`
}

/** CRC-32 (ISO-HDLC) in base62, so that scanners of source code have no false alarms. */
function checksum(body: string): string {
  let rest = crc32(body)
  let digits = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = BASE62[rest % 62] + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** Uniform characters: bytes from 248 up are thrown away, since 256 is no multiple of 62. */
function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += BASE62[byte % 62]
    }
  }
  return text
}
