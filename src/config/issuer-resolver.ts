import { ArgumentError } from '../core/argument-error.js'
import type { IssuerPolicy } from '../token/policy.js'
import { checkFunction, isRecord, readOptions } from './checks.js'
import { ENTRY_NAMES, type IssuerOptions, resolveEntry, type SharedPolicy } from './issuer-options.js'

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
  // One of several tenants, or of a trust domain, is for the configuration: its issuer is not the one that was asked for.
  for (const name of ['tenants', 'trustDomain'] as const) {
    if (entry[name] !== undefined)
      throw new ArgumentError(`${NAME}.${name}`, 'is for entries of the option issuer alone')
  }
  if (entry.issuer !== iss) {
    throw new ArgumentError(`${NAME}.issuer`, 'must be the one that was asked for, character for character')
  }
  const text = textOf(entry)
  return {
    policy: resolveEntry(entry, NAME, shared),
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
