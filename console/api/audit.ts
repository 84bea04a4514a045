import type { AuditOptions } from '../../src/keyring/contract.js'
import { json, notFound } from '../answers.js'
import { limitsOf } from '../caller.js'
import { isId } from '../ids.js'
import { AUDIT_QUERY } from '../query.js'
import type { Handler } from '../task.js'
import { checkSeen } from './seen.js'

export const audit: Handler = async ({ keys, caller, query }) => {
  const given = query(AUDIT_QUERY)
  // As in a path: what is no id is nobody's, and may be a key.
  if (given.id !== undefined && !isId(given.id)) return notFound()
  const { entries, cursor } = await keys.audit({ ...given, ...limitsOf(caller) } as AuditOptions)
  checkSeen(caller, entries)
  return json(200, { entries, cursor })
}
