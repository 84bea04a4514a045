import { KeyStoreError } from '../core/errors.js'
import type { KeyRecord, TokenRevocation } from './records.js'

const CODE = 'ERR_VANTAGE_UNCONFIRMED'

/**
 * It is revoked, and the services that follow the store could not be asked whether they refuse it: they do within the bound
 * of the store, or once the store answers them again. Why is in `cause`. To revoke the key again asks again.
 */
export class UnconfirmedError extends KeyStoreError {
  static override readonly code = CODE
  override readonly code = CODE
  /** What is revoked: of tokens it is the revocation. */
  readonly record: KeyRecord | TokenRevocation
  static {
    this.prototype.name = 'UnconfirmedError'
  }

  constructor(message: string, record: KeyRecord | TokenRevocation, options?: ErrorOptions) {
    super(message, options)
    this.record = record
  }
}
