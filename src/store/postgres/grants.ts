import { ArgumentError } from '../../core/argument-error.js'
import { isSchemaName, quoteName } from './names.js'
import { SIGNATURES } from './triggers.js'

/** What somebody may do with a key store in PostgreSQL. */
export const GRANTEES = ['service', 'administrator', 'reader', 'receiver'] as const

export type Grantee = (typeof GRANTEES)[number]

interface Rights {
  /** Privileges by table. */
  readonly tables: Readonly<Record<string, readonly string[]>>
  /** Functions by name. */
  readonly functions: readonly string[]
}

/**
 * What each needs, and no more. None may write the log of changes, the audit trail, usage or the version of the schema: triggers
 * and functions do that with the rights of their owner.
 */
export const RIGHTS: Readonly<Record<Grantee, Rights>> = {
  // Verifies credentials.
  service: {
    tables: {
      vantage_schema: ['SELECT'],
      vantage_keys: ['SELECT'],
      vantage_token_revocations: ['SELECT'],
      vantage_changes: ['SELECT'],
    },
    functions: ['vantage_add_usage'],
  },
  // Everything but `keys migrate`, which is for the owner of the tables.
  administrator: {
    tables: {
      vantage_schema: ['SELECT'],
      vantage_keys: ['SELECT', 'INSERT', 'UPDATE'],
      vantage_token_revocations: ['SELECT', 'INSERT', 'DELETE'],
      // `doctor --probe` hears what it writes.
      vantage_changes: ['SELECT'],
      vantage_usage: ['SELECT'],
      vantage_audit: ['SELECT'],
    },
    functions: ['vantage_revoke_tokens_once'],
  },
  // The commands that change nothing.
  reader: {
    tables: {
      vantage_schema: ['SELECT'],
      vantage_keys: ['SELECT'],
      vantage_token_revocations: ['SELECT'],
      vantage_usage: ['SELECT'],
      vantage_audit: ['SELECT'],
    },
    functions: [],
  },
  // Revokes the tokens that an issuer's events name. No table of revocations: whoever may delete there can take them back.
  receiver: {
    tables: { vantage_schema: ['SELECT'] },
    functions: ['vantage_revoke_tokens_once'],
  },
}

/**
 * The statements that give a role what it needs, for the owner of the tables to run.
 *
 * @throws {ArgumentError} for what cannot be the name of a role or a schema
 */
export function formatGrants(grantee: Grantee, { role, schema }: { role: string; schema: string }): string[] {
  const to = quoteName(checkRole(role))
  const place = quoteName(checkSchemaName(schema))
  const { tables, functions } = RIGHTS[grantee]
  return [
    `GRANT USAGE ON SCHEMA ${place} TO ${to};`,
    ...Object.entries(tables).map(
      ([table, privileges]) => `GRANT ${privileges.join(', ')} ON ${place}.${table} TO ${to};`,
    ),
    ...functions.map((name) => `GRANT EXECUTE ON FUNCTION ${place}.${signatureOf(name)} TO ${to};`),
  ]
}

/** With its types, since others may have created functions of the same name. */
function signatureOf(name: string): string {
  return SIGNATURES.find((signature) => signature.startsWith(`${name}(`)) ?? name
}

// Control characters would write to the terminal that the statements are printed on, and a quoted name may hold a line break.
const CONTROL = /[\p{C}\p{Zl}\p{Zp}]/u

function checkRole(role: string): string {
  // PostgreSQL takes "public", quoted too, for everybody.
  if (role === 'public' || role === 'none') {
    throw new ArgumentError('role', `must not be ${role}, which PostgreSQL reserves; name a role of your own`)
  }
  if (role === '' || Buffer.byteLength(role) > 63 || CONTROL.test(role) || role.startsWith('pg_')) {
    throw new ArgumentError(
      'role',
      'must be the name of a role: 1 to 63 bytes without control characters, not beginning with pg_',
    )
  }
  return role
}

function checkSchemaName(schema: string): string {
  if (isSchemaName(schema) && !CONTROL.test(schema)) return schema
  throw new ArgumentError(
    'schema',
    'must be the name of a schema: 1 to 63 bytes without control characters, not beginning with pg_',
  )
}
