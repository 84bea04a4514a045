import { isRecord } from '../src/config/checks.js'
import { checkText } from '../src/keyring/arguments.js'
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
  /** Found by `authorizeByScope()`. */
  readonly byScope: boolean
  readonly mayNameTenant: boolean
}

/** `authorize` did not say who is asking. The message is for the log and repeats nothing that it returned. */
export class AuthorizeError extends Error {
  static {
    this.prototype.name = 'AuthorizeError'
  }
}

const MEMBERS = ['actor', 'tenant', 'subject', 'canWrite', 'grantable', 'notAfter']

/**
 * Checks what `authorize` returned. Each member is read once, so that what was checked is what counts. A member that is
 * there has a value: `subject: user.id` of a user without one must not mean all subjects.
 *
 * @throws {AuthorizeError} for anything but a caller
 */
export function parseCaller(given: unknown, vocabulary: readonly string[]): Caller {
  if (!isRecord(given)) throw new AuthorizeError('returned neither a caller nor undefined')
  if (Object.keys(given).some((name) => !MEMBERS.includes(name))) {
    throw new AuthorizeError(`returned a member that is none of ${MEMBERS.join(', ')}`)
  }
  const { actor, tenant, canWrite } = given
  const marked = given as unknown as ConsoleCaller
  return Object.freeze({
    actor: checkMember(actor, 'actor'),
    tenant: tenant === ALL_TENANTS ? ALL_TENANTS : checkMember(tenant, 'tenant'),
    subject: 'subject' in given ? checkMember(given.subject, 'subject') : undefined,
    canWrite: canWrite === true,
    grantable: 'grantable' in given ? checkGrantable(given.grantable, vocabulary) : vocabulary,
    notAfter: 'notAfter' in given ? checkInstant(given.notAfter) : undefined,
    byScope: isByScope(marked),
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

/** What a keyring takes for an actor, a tenant or a subject: else its refusal would be blamed on the client. */
function checkMember(value: unknown, name: string): string {
  try {
    return checkText(value, name)
  } catch (cause) {
    throw new AuthorizeError(`returned a wrong ${name}: ${(cause as Error).message}`)
  }
}

function checkGrantable(value: unknown, vocabulary: readonly string[]): readonly string[] {
  const scopes = Array.isArray(value) ? [...value] : [undefined]
  if (!scopes.every((scope) => typeof scope === 'string')) {
    throw new AuthorizeError('returned a wrong grantable: it must be a list of scopes')
  }
  return Object.freeze(vocabulary.filter((scope) => scopes.includes(scope)))
}

function checkInstant(value: unknown): Date {
  const time = value instanceof Date ? value.getTime() : Number.NaN
  if (Number.isNaN(time)) throw new AuthorizeError('returned a wrong notAfter: it must be a valid Date')
  return new Date(time)
}
