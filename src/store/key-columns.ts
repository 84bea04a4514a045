/** The columns of `vantage_keys`, alike in every database, in the order in which a store's `toParameters` gives their values. */
export const KEY_COLUMNS = [
  'id',
  'digest',
  'subject',
  'tenant',
  'name',
  'environment',
  'scopes',
  'created_at',
  'created_by',
  'expires_at',
  'revoked_at',
  'revoked_by',
  'revoked_reason',
  'replaces',
  'replaced_by',
] as const
