import { ArgumentError } from '../core/argument-error.js'
import type { IssuerPolicy } from '../token/policy.js'
import { checkFunction, isRecord, readOptions } from './checks.js'
import { ENTRY_NAMES, type IssuerOptions, resolveEntry, type SharedPolicy } from './issuer-options.js'
import { expandTenants } from './tenants.js'

/** The application's word on issuers that are not configured. */
export interface IssuerResolver {
  /** Asks the application, as it is. It may answer anything, or throw. */
  ask(iss: string): unknown
  /**
   * Reads what it answered for an issuer, as an entry of the option `issuer` is read.
   *
   * @throws {TypeError} for what is no such entry, or one of another issuer
   */
  read(answer: unknown, iss: string): ResolvedEntry
  /** How long an answer stands. */
  readonly ttlMs: number
  /** Most issuers that are kept. */
  readonly maxIssuers: number
}

/** An entry that was read. */
export interface ResolvedEntry {
  readonly policy: IssuerPolicy
  /** Whether another answer said the same: then nothing of the issuer has changed. */
  isSameAs(other: ResolvedEntry): boolean
  /** The members of the entry as text, and its function. */
  readonly text: string
  readonly fetch: unknown
}

/** @param ask checked to be a function */
export function createIssuerResolver(
  ask: ResolveIssuer,
  shared: SharedPolicy,
  limits: { readonly issuerTtlSeconds: number; readonly maxIssuers: number },
): IssuerResolver {
  return Object.freeze({
    ask,
    read: (answer: unknown, iss: string) => readAnswer(answer, iss, shared),
    ttlMs: 1000 * limits.issuerTtlSeconds,
    maxIssuers: limits.maxIssuers,
  })
}

/** See the option `resolveIssuer`. */
export type ResolveIssuer = (iss: string) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>

export function checkResolver(value: unknown, name: string): ResolveIssuer {
  return checkFunction(value, name)
}

const NAME = 'the answer of resolveIssuer'

function readAnswer(answer: unknown, iss: string, shared: SharedPolicy): ResolvedEntry {
  if (!isRecord(answer)) {
    throw new ArgumentError(
      NAME,
      'must be an entry as in the option issuer, or undefined for an issuer that is not accepted',
    )
  }
  // Read once: what is compared next time is what counts now.
  const entry = readOptions(answer, ENTRY_NAMES, `option in ${NAME}`)
  // Tokens of a trust domain name no issuer, so that nobody asks for one.
  if (entry.trustDomain !== undefined) {
    throw new ArgumentError(`${NAME}.trustDomain`, 'is for entries of the option issuer alone')
  }
  const [one, ...others] = expandTenants(entry, NAME)
  if (others.length > 0) {
    throw new ArgumentError(`${NAME}.tenants`, 'must be the one tenant whose issuer was asked for')
  }
  if (one?.given.issuer !== iss) {
    throw new ArgumentError(`${NAME}.issuer`, 'must be the one that was asked for, character for character')
  }
  const text = textOf(entry)
  return {
    policy: resolveEntry(one.given, NAME, shared, one.tenant),
    text,
    fetch: entry.fetch,
    isSameAs: (other) => text !== '' && text === other.text && entry.fetch === other.fetch,
  }
}

/** Empty for what JSON cannot write, which is then never the same as anything. */
function textOf(entry: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(entry)
  } catch {
    return ''
  }
}
