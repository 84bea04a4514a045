import { types } from 'node:util'
import { isRecord } from '../src/config/checks.js'
import { checkText } from '../src/keyring/arguments.js'
import { LAST_INSTANT } from '../src/store/key-order.js'
import { ALL_TENANTS, type ConsoleCaller } from './contract.js'
import { isByScope, mayNameTenant } from './preset.js'

/** A {@link ConsoleCaller} that was checked: what the rest of the console goes by. */
export interface Caller {
  readonly actor: string
  readonly tenant: string | typeof ALL_TENANTS
  readonly subject: string | undefined
  readonly canWrite: boolean
  /** Of the vocabulary, in its order. */
  readonly grantable: readonly string[]
  readonly notAfter: Date | undefined
  /** `authorize` named grantable scopes, and the vocabulary has none of them. */
  readonly namesNoScope: boolean
  /** Found by `authorizeByScope()`. */
  readonly byScope: boolean
  readonly mayNameTenant: boolean
}

/** `authorize` did not say who is asking. The message is for the log and repeats no value that it returned. */
export class AuthorizeError extends Error {
  static {
    this.prototype.name = 'AuthorizeError'
  }
  readonly #own = true

  /** `instanceof` asks a Proxy, which may throw. */
  static is(error: unknown): error is AuthorizeError {
    return typeof error === 'object' && error !== null && #own in error
  }
}

const MEMBERS = ['actor', 'tenant', 'subject', 'canWrite', 'grantable', 'notAfter']

/**
 * Checks what `authorize` returned. Each member is read once, so that what was checked is what counts. A member that is
 * there has a value: `subject: user.id` of a user without one must not mean all subjects.
 *
 * @throws {AuthorizeError} for anything but a caller; and what a getter or a Proxy throws
 */
export function parseCaller(given: unknown, vocabulary: readonly string[]): Caller {
  if (!isRecord(given)) {
    throw new AuthorizeError(
      `returned ${kindOf(given)}: return undefined when nobody is signed in, else { actor, tenant }`,
    )
  }
  for (const name of namesIn(given)) if (!MEMBERS.includes(name)) throw unknownMember(name)
  const { actor, tenant, canWrite } = given
  const marked = given as unknown as ConsoleCaller
  const scopes = 'grantable' in given ? checkScopes(given.grantable) : vocabulary
  const grantable = Object.freeze(vocabulary.filter((scope) => scopes.includes(scope)))
  const byScope = isByScope(marked)
  return Object.freeze({
    actor: checkMember(actor, 'actor'),
    tenant: tenant === ALL_TENANTS ? ALL_TENANTS : checkMember(tenant, 'tenant'),
    subject: 'subject' in given ? checkMember(given.subject, 'subject') : undefined,
    canWrite: canWrite === true,
    grantable,
    notAfter: 'notAfter' in given ? checkInstant(given.notAfter) : undefined,
    namesNoScope: !byScope && scopes.length > 0 && grantable.length === 0,
    byScope,
    mayNameTenant: mayNameTenant(marked),
  })
}

/** The filters that leave only what a caller may see. */
export function limitsOf({ tenant, subject }: Caller): { readonly tenant?: string; readonly subject?: string } {
  return { ...(tenant !== ALL_TENANTS && { tenant }), ...(subject !== undefined && { subject }) }
}

/** Whether a key, or an entry about one, is of those that a caller may see. */
export function maySee(
  caller: Caller,
  { tenant, subject }: { readonly tenant: string | null; readonly subject: string | null },
): boolean {
  return (
    (caller.tenant === ALL_TENANTS || caller.tenant === tenant) &&
    (caller.subject === undefined || caller.subject === subject)
  )
}

/**
 * Whether the caller may be given the secret of a key of this tenant. A credential without a tenant sees its subject's keys
 * in all of them, and would come into a tenant by replacing one.
 */
export function mayHold(caller: Caller, tenant: string | null): boolean {
  return tenant === null || caller.tenant === tenant || caller.mayNameTenant
}

/** What a keyring takes for an actor, a tenant or a subject: else its refusal would be blamed on the client. */
function checkMember(value: unknown, name: string): string {
  try {
    return checkText(value, name)
  } catch (cause) {
    throw new AuthorizeError(`returned a wrong ${name}: ${(cause as Error).message}`)
  }
}

function checkScopes(value: unknown): readonly string[] {
  const scopes = Array.isArray(value) ? [...value] : [undefined]
  if (!scopes.every((scope) => typeof scope === 'string')) {
    throw new AuthorizeError('returned a wrong grantable: it must be a list of scopes')
  }
  return scopes
}

function checkInstant(value: unknown): Date {
  // Not its own getTime(), which could answer anything.
  const time = types.isDate(value) ? Date.prototype.getTime.call(value) : Number.NaN
  if (time >= 0 && time <= LAST_INSTANT) return new Date(time)
  throw new AuthorizeError('returned a wrong notAfter: it must be a Date, of the years 1970 to 9999')
}

/** Also those that are inherited, or not enumerable: what limits a caller is looked for wherever it may stand. */
function* namesIn(given: object): Generator<string> {
  for (let holder: object | null = given; holder !== null && holder !== Object.prototype; ) {
    for (const name of Object.getOwnPropertyNames(holder)) if (name !== 'constructor') yield name
    holder = Object.getPrototypeOf(holder)
  }
}

function unknownMember(name: string): AuthorizeError {
  const near = MEMBERS.find((known) => isNear(name, known))
  const shown = near !== undefined || /^[A-Za-z]{1,20}$/.test(name) ? `the member ${name}` : 'a member'
  const cure = near === undefined ? `it is none of ${MEMBERS.join(', ')}` : `did you mean ${near}?`
  return new AuthorizeError(`returned ${shown}, which there is not; ${cure}`)
}

/** `Subject`, `subjects`, `not_after`. */
function isNear(name: string, known: string): boolean {
  return name.toLowerCase().replace(/_|s$/g, '') === known.toLowerCase()
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}
