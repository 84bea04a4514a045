import type {
  CreateKeyOptions,
  ListKeysOptions,
  RevokeKeyOptions,
  RotateKeyOptions,
} from '../../src/keyring/contract.js'
import { json, notFound, refuse } from '../answers.js'
import { checkMembers, memberOf } from '../body.js'
import { type Caller, limitsOf, mayHold } from '../caller.js'
import { ALL_TENANTS } from '../contract.js'
import type { ConsoleAnswer } from '../exchange.js'
import { LIST_QUERY, NO_QUERY } from '../query.js'
import type { Handler } from '../task.js'
import { checkSeen, readSeen } from './seen.js'

// Values of queries and bodies go to the keyring as they came, whatever its types say: it checks each, and what it refuses is
// a 400 that names the member.

export const list: Handler = async ({ keys, caller, query }) => {
  const given = query(LIST_QUERY)
  const limits = limitsOf(caller)
  if (isOutside(given, limits)) return json(200, { keys: [], cursor: null })
  const page = await keys.list({ ...given, ...limits } as ListKeysOptions)
  checkSeen(caller, page.keys)
  return json(200, { keys: page.keys, cursor: page.cursor })
}

/** Whether a query asks for what its caller may not see. */
function isOutside(given: Readonly<Record<string, unknown>>, limits: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(limits).some((name) => given[name] !== undefined && given[name] !== limits[name])
}

export const show: Handler = async (task) => {
  const record = await readSeen(task)
  if (record === undefined) return notFound()
  task.query(NO_QUERY)
  return json(200, record)
}

export const create: Handler = async ({ keys, caller, query, members }) => {
  const given = members()
  const subject = memberOf(given, 'subject')
  if (caller.subject !== undefined && typeof subject === 'string' && subject !== caller.subject) {
    return refuse('forbidden', 'You may make keys for yourself alone: leave subject out')
  }
  const scopes = memberOf(given, 'scopes')
  if (Array.isArray(scopes) && !mayGrant(caller, scopes)) return refuseScopes(caller)
  query(NO_QUERY)
  const { mayNameTenant } = caller
  checkMembers(given, ['name', 'scopes', 'expiresIn', 'environment', 'subject', ...(mayNameTenant ? ['tenant'] : [])])
  const { key, record } = await keys.create({
    ...given,
    subject: subject === undefined ? (caller.subject ?? caller.actor) : subject,
    ...(caller.tenant !== ALL_TENANTS && { tenant: caller.tenant }),
    ...(caller.notAfter !== undefined && { notAfter: caller.notAfter }),
    actor: caller.actor,
  } as CreateKeyOptions)
  return json(201, { key, record })
}

export const rotate: Handler = async (task) => {
  const { keys, caller, id } = task
  const old = await readSeen(task)
  if (old === undefined) return notFound()
  if (!mayHold(caller, old.tenant)) {
    return refuse('forbidden', 'This key is of a tenant, and your own credential is of none')
  }
  if (!mayGrant(caller, old.scopes)) return refuseScopes(caller)
  task.query(NO_QUERY)
  const given = task.members()
  checkMembers(given, ['overlap'])
  const { key, record, previous } = await keys.rotate(id, {
    ...given,
    ...(caller.notAfter !== undefined && { notAfter: caller.notAfter }),
    actor: caller.actor,
  } as RotateKeyOptions)
  return json(201, { key, record, previous })
}

export const revoke: Handler = async (task) => {
  if ((await readSeen(task)) === undefined) return notFound()
  task.query(NO_QUERY)
  const given = task.members()
  checkMembers(given, ['reason'])
  return json(200, await task.keys.revoke(task.id, { ...given, actor: task.caller.actor } as RevokeKeyOptions))
}

/** What is no text is left to the keyring: it is wrong, and not forbidden. */
function mayGrant({ grantable }: Caller, scopes: readonly unknown[]): boolean {
  return scopes.every((scope) => typeof scope !== 'string' || grantable.includes(scope))
}

function refuseScopes({ grantable }: Caller): ConsoleAnswer {
  const choice = grantable.length === 0 ? 'none' : grantable.join(', ')
  return refuse('forbidden', `You may give keys no other scopes than these: ${choice}`)
}
