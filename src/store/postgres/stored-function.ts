/**
 * Held from a change of keys or revocations to its commit. It is a table and no advisory lock, which everybody who may
 * connect can take, and keep. Only its owner may take this one: SELECT, the most that a service is granted, does not
 * suffice.
 */
export const LOCK_CHANGES = 'LOCK TABLE {schema}.vantage_lock IN EXCLUSIVE MODE'

/** A function of the schema, with `{schema}` in place of the schema's name. */
export interface StoredFunction {
  readonly signature: string
  /** The types of the signature, as PostgreSQL names them. Default: none. */
  readonly types?: string
  readonly returns: string
  readonly body: string
}
