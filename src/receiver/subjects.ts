import { isText } from '../core/own.js'
import type { TokenSelector } from '../keyring/token-selector.js'
import { readTokenSelector } from '../keyring/token-selector.js'
import { isJsonObject, type JsonObject, own } from '../token/json-object.js'
import type { Sender } from './options.js'

/**
 * Why a subject selects no tokens. `subject`: it cannot be read. `subject_issuer`: the sender may not speak for it.
 * `unselectable`: it is of a format that never selects.
 */
export type NoSelection = 'subject' | 'subject_issuer' | 'unselectable'

/** The tokens that a subject selects. */
export interface Selection {
  readonly selectors: readonly TokenSelector[]
  /** Whether it means more tokens than those, by what never selects. */
  readonly unselectable?: boolean
}

/** What a simple subject identifier names. */
interface Named {
  readonly issuer: string
  readonly name: string
}

/**
 * The tokens that a subject identifier (RFC 9493) means. An e-mail address or a phone number never selects: whoever holds
 * it today may not be who holds the account, and tokens need not say it.
 *
 * @param issuedBefore milliseconds since the epoch
 * @param ends `session`: of a subject with a session, the tokens of that session and those that tell none; `account`: all
 *   tokens of the user, whatever session is named beside it
 */
export function selectTokens(
  subject: unknown,
  sender: Sender,
  issuedBefore: number,
  ends: 'session' | 'account',
): Selection | NoSelection {
  if (!isJsonObject(subject)) return 'subject'
  const format = own(subject, 'format')
  if (format === 'complex' || (format === undefined && hasParts(subject))) {
    return selectByParts(subject, sender, issuedBefore, ends)
  }
  if (format === 'jwt_id') {
    const token = readName(subject, ['iss', 'jti'], sender)
    return typeof token === 'string' ? token : checked(selectEach(token, sender, { tokenId: token.name }))
  }
  const user = readUser(subject, sender)
  return typeof user === 'string' ? user : checked(selectEach(user, sender, { subject: user.name, issuedBefore }))
}

/** Drafts of the Shared Signals Framework wrote complex subjects without a format. */
function hasParts(subject: JsonObject): boolean {
  return isJsonObject(own(subject, 'user')) || isJsonObject(own(subject, 'session'))
}

/** The framework has more parts, for example `device` and `tenant`. Tokens do not tell them: they narrow nothing here. */
function selectByParts(
  subject: JsonObject,
  sender: Sender,
  issuedBefore: number,
  ends: 'session' | 'account',
): Selection | NoSelection {
  const user = readPart(subject, 'user', sender)
  const session = readPart(subject, 'session', sender)
  const failures = [user, session].filter((part) => typeof part === 'string')
  // The worst first: what cannot be read, or may not be said, is not made good by the other part.
  const refusal = failures.find((failure) => failure !== 'unselectable')
  if (refusal !== undefined) return refusal
  const bySession =
    typeof session === 'object' ? selectEach(session, sender, { sessionId: session.name, issuedBefore }) : []
  if (typeof user !== 'object') {
    // Of an account the user's other sessions go on, which its sender does not expect.
    return bySession.length > 0 ? checked(bySession, ends === 'account') : 'unselectable'
  }
  const ofUser = { subject: user.name, issuedBefore }
  if (ends === 'account' || bySession.length === 0) return checked(selectEach(user, sender, ofUser))
  return checked([...bySession, ...selectEach(user, sender, { ...ofUser, withoutSession: true })])
}

type Names = TokenSelector extends infer S ? (S extends TokenSelector ? Omit<S, 'issuer'> : never) : never

/** A provider's own subjects and sessions may be named by tokens that another of its issuers has issued. */
export function selectEach({ issuer }: Pick<Named, 'issuer'>, sender: Sender, names: Names): readonly TokenSelector[] {
  const issuers = issuer === sender.issuer ? sender.tokenIssuers : [issuer]
  return issuers.map((one) => ({ ...names, issuer: one }))
}

function readPart(subject: JsonObject, part: 'user' | 'session', sender: Sender): Named | NoSelection | undefined {
  if (!Object.hasOwn(subject, part)) return undefined
  const identifier = subject[part]
  return isJsonObject(identifier) ? readUser(identifier, sender) : 'subject'
}

/** `iss_sub` (RFC 9493 §3.2.3) and `opaque` (§3.2.5), which both also write sessions. */
function readUser(identifier: JsonObject, sender: Sender): Named | NoSelection {
  const format = own(identifier, 'format')
  if (format === 'iss_sub') return readName(identifier, ['iss', 'sub'], sender)
  if (format === 'opaque') {
    const id = own(identifier, 'id')
    return isText(id) ? { issuer: sender.issuer, name: id } : 'subject'
  }
  return isText(format) ? 'unselectable' : 'subject'
}

function readName(
  identifier: JsonObject,
  [issuerMember, nameMember]: readonly [string, string],
  sender: Sender,
): Named | NoSelection {
  const issuer = own(identifier, issuerMember)
  const name = own(identifier, nameMember)
  if (!isText(issuer) || !isText(name)) return 'subject'
  return sender.subjectIssuers.has(issuer) ? { issuer, name } : 'subject_issuer'
}

/** Names that no token can have are the sender's mistake, and not an outage of the store. */
export function checked(selectors: readonly TokenSelector[], unselectable = false): Selection | 'subject' {
  try {
    for (const selector of selectors) readTokenSelector(selector)
    return { selectors, unselectable }
  } catch (error) {
    if (error instanceof TypeError) return 'subject'
    throw error
  }
}
