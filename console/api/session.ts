import { json } from '../answers.js'
import type { SessionJson } from '../api-types.js'
import { ALL_TENANTS } from '../contract.js'
import { NO_QUERY } from '../query.js'
import type { Handler } from '../task.js'

export const session: Handler = ({ site, caller, query }) => {
  query(NO_QUERY)
  const { apiUrl, signInUrl = null } = site.settings
  const { environment, environments, defaultLife } = site.made
  const answer: SessionJson = {
    actor: caller.actor,
    subject: caller.subject ?? null,
    tenant: caller.tenant === ALL_TENANTS ? null : caller.tenant,
    canWrite: caller.canWrite,
    scopes: caller.grantable,
    environments: [environment, ...environments.filter((name) => name !== environment)],
    defaultLife,
    apiUrl,
    signInUrl,
    ...(caller.notAfter !== undefined && { notAfter: caller.notAfter.toISOString() }),
  }
  return json(200, answer)
}
