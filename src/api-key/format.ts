import { hash, randomBytes } from 'node:crypto'
import { ENVIRONMENTS, type Environment } from '../core/environments.js'

/** What can be read off a well-formed key without a store. */
export interface ParsedApiKey {
  readonly environment: Environment
  /** Public, random identifier: the primary key of the store, and what logs show. */
  readonly id: string
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** The value of each character, by its code; undefined for what is not base62. */
const BASE62_VALUES: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const value = BASE62.indexOf(String.fromCharCode(code))
  return value === -1 ? undefined : value
})
const CRC_POLYNOMIAL = 0xedb88320
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ CRC_POLYNOMIAL : rest >>> 1
  return rest
})
const ID_LENGTH = 12
const SECRET_LENGTH = 43 // 62^43 > 2^256
const CHECKSUM_LENGTH = 6
const START = 'vak_'

/** How the keys of each environment begin: `vak_live_`, `vak_test_`. */
export const KEY_PREFIXES: readonly string[] = ENVIRONMENTS.map(keyPrefix)
const STARTS = ENVIRONMENTS.map((environment) => {
  const prefix = keyPrefix(environment)
  return { environment, prefix, crc: crcOf(prefix) }
})
/** Characters of a key after its prefix. */
export const KEY_BODY_LENGTH = ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH

function keyPrefix(environment: Environment): string {
  return `${START}${environment}_`
}

/** Whether a credential claims to be an API key, well-formed or not. No JWT begins like this. */
export function looksLikeApiKey(token: string): boolean {
  return token.startsWith(START)
}

/**
 * Whether a key, or one without its prefix, stands anywhere in a text: people paste keys where a name or a reason belongs.
 * With its prefix one counts whatever its checksum is; without, only the checksum tells it from other letters and digits.
 */
export function containsApiKey(text: string): boolean {
  if (WITH_PREFIX.test(text)) return true
  for (const [run] of text.matchAll(BASE62_RUN)) {
    for (let start = 0; start + KEY_BODY_LENGTH <= run.length; start++) {
      const body = run.slice(start, start + KEY_BODY_LENGTH)
      if (KEY_PREFIXES.some((prefix) => typeof parseApiKey(prefix + body) === 'object')) return true
    }
  }
  return false
}

const WITH_PREFIX = new RegExp(`(?:${KEY_PREFIXES.join('|')})[0-9A-Za-z]{${KEY_BODY_LENGTH}}`)
const BASE62_RUN = new RegExp(`[0-9A-Za-z]{${KEY_BODY_LENGTH},}`, 'g')

/** A new random identifier. */
export function generateId(): string {
  return randomBase62(ID_LENGTH)
}

/** Makes a new key with 256 random bits. The caller stores {@link digestApiKey} of it and shows the key once. */
export function generateApiKey(environment: Environment): { readonly id: string; readonly key: string } {
  const id = generateId()
  const body = `${keyPrefix(environment)}${id}${randomBase62(SECRET_LENGTH)}`
  return { id, key: body + checksum(body) }
}

/**
 * Checks the format and the checksum of a key, so that a mistyped or truncated one never reaches a store.
 * It does not check that the key was ever issued.
 */
export function parseApiKey(token: string): ParsedApiKey | 'malformed' | 'checksum' {
  const start = STARTS.find(({ prefix }) => token.startsWith(prefix))
  if (start === undefined) return 'malformed'
  const { environment, prefix } = start
  if (token.length !== prefix.length + KEY_BODY_LENGTH) return 'malformed'
  const end = token.length - CHECKSUM_LENGTH
  let { crc } = start
  let stated = 0
  for (let i = prefix.length; i < token.length; i++) {
    const code = token.charCodeAt(i)
    const value = BASE62_VALUES[code]
    if (value === undefined) return 'malformed'
    if (i < end) crc = addToCrc(crc, code)
    else stated = stated * 62 + value
  }
  return stated === endCrc(crc) ? { environment, id: idOf(token) } : 'checksum'
}

/**
 * The characters at the place of the id. It checks nothing: they are the id only if {@link parseApiKey} accepts the key,
 * or if the whole key is known from before.
 */
export function idOf(token: string): string {
  // Prefixes differ in length; the id follows the second underscore of each.
  const start = token.indexOf('_', START.length) + 1
  return token.slice(start, start + ID_LENGTH)
}

/**
 * What a store keeps of a key. A fast hash is enough, since nobody can guess 256 random bits; a slow one would let anybody
 * load the service with wrong keys.
 */
export function digestApiKey(key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`
}

/** SHA-256 of a credential, for use in memory only. One character per byte, half the size of hexadecimal. */
export function fingerprint(credential: string): string {
  return hash('sha256', credential, 'binary')
}

/** The public part of a key, as tables and logs show it. */
export function apiKeyHint(environment: Environment, id: string): string {
  return `${keyPrefix(environment)}${id}…`
}

/** CRC-32 (ISO-HDLC) in base62. Scanners of source code use it to tell keys from texts that only look like one. */
function checksum(body: string): string {
  let rest = endCrc(crcOf(body))
  let digits = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = BASE62[rest % 62] + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** The CRC-32 of an ASCII text, before {@link endCrc}. `zlib.crc32` copies the text first, which costs as much again. */
function crcOf(text: string): number {
  let crc = -1
  for (let i = 0; i < text.length; i++) crc = addToCrc(crc, text.charCodeAt(i))
  return crc
}

function addToCrc(crc: number, byte: number): number {
  return (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
}

function endCrc(crc: number): number {
  return ~crc >>> 0
}

/** Bytes from 248 up are thrown away: 256 is not a multiple of 62, so some characters would come up more often. */
function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += BASE62[byte % 62]
    }
  }
  return text
}
