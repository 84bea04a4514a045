import { shellWord } from '../migrate-command.js'
import { RIGHTS } from './grants.js'
import { TABLES } from './migrations.js'
import { DEFAULT_SCHEMA } from './names.js'
import type { PostgresPlace } from './place.js'
import { FUNCTIONS } from './triggers.js'

type Place = Pick<PostgresPlace, 'role' | 'user' | 'schema' | 'administers'>

/** What a service may read. More is for who administers keys. */
export const OF_SERVICES: readonly string[] = [
  'vantage_schema',
  'vantage_keys',
  'vantage_token_revocations',
  'vantage_changes',
]

/**
 * What the server has refused to a role, and the command that prints the grants.
 *
 * @param message of the server; only the names in it are used, since its language is that of the server
 * @param statement ours, which was refused, with `{schema}` in place of the schema
 */
export function describeMissingGrant(message: string, statement: string, place: Place): string {
  const found = /vantage_\w+/.exec(message)?.[0]
  if (/^\s*(CREATE|ALTER|DROP|GRANT|REVOKE|LOCK TABLE (?!.* ACCESS SHARE))/s.test(statement)) {
    return `does not permit ${place.role} to create or change its tables and functions: run the command as the owner of the schema ${place.schema}`
  }
  if (found !== undefined && Object.hasOwn(FUNCTIONS, found)) {
    const kind = RIGHTS.service.functions.includes(found) ? 'service' : 'receiver'
    return describe('EXECUTE', `function ${place.schema}.${found}`, kind, place, kind === 'receiver')
  }
  if (found !== undefined && TABLES.includes(found)) {
    const privileges = privilegesOf(statement, found)
    const writes = privileges.some((privilege) => privilege !== 'SELECT')
    const kind = writes || place.administers ? 'administrator' : OF_SERVICES.includes(found) ? 'service' : 'reader'
    const isOthers = writes && found === 'vantage_token_revocations'
    return describe(privileges.join(' and '), `table ${place.schema}.${found}`, kind, place, isOthers)
  }
  return describe('USAGE', `schema ${place.schema}`, place.administers ? 'administrator' : 'service', place)
}

/** What a statement needs of a table. One that changes rows reads them as well. */
function privilegesOf(statement: string, table: string): string[] {
  const written = (pattern: string) => new RegExp(`${pattern}\\s+\\{schema\\}\\.${table}\\b`, 'i').test(statement)
  const inserts = written('INSERT INTO')
  const updates = written('UPDATE') || (inserts && /\bDO UPDATE\b/i.test(statement))
  const deletes = written('DELETE FROM')
  const privileges = [...(inserts ? ['INSERT'] : []), ...(updates ? ['UPDATE'] : []), ...(deletes ? ['DELETE'] : [])]
  return updates || deletes || privileges.length === 0 ? ['SELECT', ...privileges] : privileges
}

/** @param isOthers whether it is for another role: one of a service, or of a receiver, must not be given this as well */
function describe(
  privilege: string,
  object: string,
  kind: string,
  { role, user, schema }: Place,
  isOthers = false,
): string {
  const flags = [
    ...(isOthers ? [`--role vantage_${kind}`] : user === undefined ? [] : [`--role ${shellWord(user)}`]),
    ...(schema === DEFAULT_SCHEMA ? [] : [`--schema ${shellWord(schema)}`]),
  ]
  const command = ['npx vantage-auth keys grants', kind, ...flags].join(' ')
  const cure = isOthers
    ? `this is for a role of its own, with the grants that this prints: ${command}`
    : `this prints the grants: ${command}`
  return `does not permit this to the ${role}: it lacks ${privilege} on the ${object}; ${cure}`
}
