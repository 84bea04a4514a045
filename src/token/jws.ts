import type { Reason } from '../core/errors.js'
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithms.js'
import { type CheckReport, show } from './check-report.js'
import { decodeObject, isCanonicalBase64url } from './encoding.js'
import { type JsonObject, own } from './json-object.js'

/** One check on the way from a text to a parsed token. */
export interface Step<In, Out> {
  /** What is looked at, in the words of the specifications. */
  readonly name: string
  readonly reason: Reason
  /** The part that this step finds and vouches for; `null` refuses the token. */
  read(input: In): Out | null
  /** For people: what would have passed. */
  expected(input: In): string
  /** For people: what is there, whether it passes or not. Never the token or a part of its encoding. */
  found(input: In, passed: boolean): string
}

/** Makes one check, and tells of it. */
export type Take = <In, Out>(step: Step<In, Out>, input: In) => Out | null

/** @param report is told of each check that is made */
export function takeAndTell(report: ((check: CheckReport) => void) | undefined): Take {
  if (report === undefined) return takeInSilence
  return (step, input) => {
    const part = step.read(input)
    const { name, reason } = step
    const passed = part !== null
    report({ name, reason, passed, expected: step.expected(input), found: step.found(input, passed) })
    return part
  }
}

const takeInSilence: Take = (step, input) => step.read(input)

const PART_NAMES = ['header', 'payload', 'signature'] as const

interface Parts {
  readonly header: string
  readonly payload: string
  readonly signature: string
}

export const shape: Step<string, Parts> = {
  name: 'shape',
  reason: 'malformed',
  read(text) {
    const first = text.indexOf('.')
    const second = text.indexOf('.', first + 1)
    if (first === -1 || second === -1 || text.includes('.', second + 1)) return null
    return { header: text.slice(0, first), payload: text.slice(first + 1, second), signature: text.slice(second + 1) }
  },
  expected: () => 'three parts separated by dots (RFC 7515 §3.1)',
  found: (text) => {
    const parts = text.split('.').length
    return parts === 1 ? 'one part, no dot' : `${parts} parts`
  },
}

export const encoding: Step<Parts, Parts> = {
  name: 'encoding',
  reason: 'malformed',
  read(parts) {
    const { header, payload, signature } = parts
    const canonical = isLastHeader(header) || isCanonicalBase64url(header)
    return canonical && isCanonicalBase64url(payload) && isCanonicalBase64url(signature) ? parts : null
  },
  expected: () => 'canonical base64url without padding (RFC 7515 §2)',
  found: (parts, passed) =>
    passed
      ? 'base64url'
      : `wrong in its ${PART_NAMES.filter((name) => !isCanonicalBase64url(parts[name])).join(' and ')}`,
}

export const headerText: Step<Parts, JsonObject> = {
  name: 'header',
  reason: 'malformed',
  read: ({ header }) => decodeHeader(header),
  expected: () => 'a JSON object in UTF-8 (RFC 7515 §4)',
  found: ({ header }) => membersOf(decodeHeader(header)),
}

function membersOf(object: JsonObject | null): string {
  if (object === null) return 'something else'
  const names = show(Object.keys(object))
    .replace(/["[\]]/g, '')
    .replaceAll(',', ', ')
  return `a JSON object with ${names || 'no members'}`
}

/** RFC 7515 §4.1.11: no extension is understood here, and `b64` (RFC 7797) changes what is signed. */
export const extensions: Step<JsonObject, JsonObject> = {
  name: 'crit, b64',
  reason: 'malformed',
  read: (header) => (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64') ? null : header),
  expected: () => 'neither',
  found: (header, passed) =>
    passed ? 'neither' : `crit ${show(own(header, 'crit'))}, b64 ${show(own(header, 'b64'))}`,
}

export const alg: Step<JsonObject, Algorithm> = {
  name: 'alg',
  reason: 'algorithm',
  read(header) {
    const name = own(header, 'alg')
    return isAlgorithm(name) ? name : null
  },
  expected: () => `one of ${ALGORITHMS.join(' ')}`,
  found: (header) => show(own(header, 'alg')),
}

export const payload: Step<Parts, JsonObject> = {
  name: 'payload',
  reason: 'malformed',
  read: (parts) => decodeObject(parts.payload),
  expected: () => 'a JSON object in UTF-8 without byte order mark (RFC 7519 §7.2)',
  found: (parts) => membersOf(decodeObject(parts.payload)),
}

/** Its place among the checks differs, since it says nothing before the issuer is known. */
export const kid: Step<JsonObject, string | undefined> = {
  name: 'kid',
  reason: 'key',
  read(header) {
    const id = own(header, 'kid')
    return typeof id === 'string' || id === undefined ? id : null
  },
  expected: () => 'a string, or none (RFC 7515 §4.1.4)',
  found: (header) => show(own(header, 'kid')),
}

/** A compact JWS (RFC 7515 §7.1) that holds claims. Nothing in it is verified: anybody could have written it. */
export interface UnverifiedJws<Type> {
  readonly header: JsonObject
  readonly type: Type
  readonly alg: Algorithm
  readonly claims: JsonObject
}

/**
 * Parses a compact JWS, one check after the other. It looks at no claim, and not at `kid`.
 *
 * @param typ tells what kind of token the header says that it is
 * @returns the reason of the refusal where a check fails
 */
export function parseJws<Type>(text: string, typ: Step<JsonObject, Type>, take: Take): UnverifiedJws<Type> | Reason {
  const parts = take(shape, text)
  if (parts === null) return shape.reason
  if (take(encoding, parts) === null) return encoding.reason
  const header = take(headerText, parts)
  if (header === null) return headerText.reason
  const type = take(typ, header)
  if (type === null) return typ.reason
  if (take(extensions, header) === null) return extensions.reason
  const algorithm = take(alg, header)
  if (algorithm === null) return alg.reason
  const claims = take(payload, parts)
  if (claims === null) return payload.reason
  return { header, type, alg: algorithm, claims }
}

/**
 * The header of the token before, which most tokens share: decoding it again would be wasted. The text is a copy, since a
 * slice would keep the whole token in memory.
 */
let lastHeader: { readonly text?: string; readonly header: JsonObject } = { header: {} }

function isLastHeader(text: string): boolean {
  return text === lastHeader.text
}

function decodeHeader(text: string): JsonObject | null {
  if (isLastHeader(text)) return lastHeader.header
  const header = decodeObject(text)
  if (header !== null) lastHeader = { text: Buffer.from(text).toString(), header }
  return header
}
