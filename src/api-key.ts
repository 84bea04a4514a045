import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The deployment that a key belongs to; a service refuses keys of the other one before it asks its store. */
export type Environment = 'live' | 'test'

/** What can be read off a well-formed key without a store. */
export interface ParsedApiKey {
  readonly environment: Environment
  /** Public, random identifier: the primary key of the store, and what logs show. */
  readonly id: string
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const PREFIX_LENGTH = 'vak_live_'.length
const ID_LENGTH = 12
const SECRET_LENGTH = 43 // 62^43 > 2^256
const CHECKSUM_LENGTH = 6
const KEY_LENGTH = PREFIX_LENGTH + ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH
const KEY = /^vak_(?:live|test)_[0-9A-Za-z]+$/

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
  if (token.length !== KEY_LENGTH || !KEY.test(token)) return 'malformed'
  const end = KEY_LENGTH - CHECKSUM_LENGTH
  if (crc32(token.slice(0, end)) !== fromBase62(token.slice(end))) return 'checksum'
  return {
    environment: token.startsWith('vak_live_') ? 'live' : 'test',
    id: idOf(token),
  }
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

function fromBase62(digits: string): number {
  let value = 0
  for (const digit of digits) value = value * 62 + BASE62.indexOf(digit)
  return value
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
