import { ArgumentError } from '../core/argument-error.js'
import { isInProcess, markInProcess } from '../token/issuer/in-process-fetch.js'
import type { IssuerPolicy } from '../token/policy.js'
import { checkFunction, isRecord, readOptions } from './checks.js'
import { ENTRY_NAMES, type IssuerOptions, resolveEntry, type SharedPolicy } from './issuer-options.js'
import { expandTenants } from './tenants.js'

type Fetch = typeof globalThis.fetch

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
  /**
   * Whether a newer answer says the same. Then its `fetch` takes the place of the one here: many write that function anew
   * into each answer, and that makes no other issuer.
   */
  renew(newer: ResolvedEntry): boolean
  /** The members of the entry as text. */
  readonly text: string
  readonly fetch: Fetch | undefined
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
  let fetch = typeof entry.fetch === 'function' ? (entry.fetch as Fetch) : undefined
  const renewable = fetch && { ...one.given, fetch: standIn(fetch, () => fetch ?? globalThis.fetch) }
  return {
    // What is no function is refused there.
    policy: resolveEntry(renewable ?? one.given, NAME, shared, one.tenant),
    text,
    get fetch() {
      return fetch
    },
    renew(newer) {
      if (text === '' || text !== newer.text || (fetch === undefined) !== (newer.fetch === undefined)) return false
      fetch = newer.fetch
      return true
    },
  }
}

/** A function that stays, for one that may be replaced. */
function standIn(first: Fetch, current: () => Fetch): Fetch {
  const fetch: Fetch = (input, init) => current()(input, init)
  return isInProcess(first) ? markInProcess(fetch) : fetch
}

/** Empty for what JSON cannot write, which is then never the same as anything. */
function textOf(entry: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(entry)
  } catch {
    return ''
  }
}
