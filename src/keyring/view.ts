import { KeyStoreError } from '../core/errors.js'
import { checkText } from './arguments.js'

/** Whose keys are asked for: of one subject, of one tenant, or both. */
export interface View {
  readonly subject?: string
  readonly tenant?: string
}

export function readView(given: { readonly subject?: unknown; readonly tenant?: unknown }): View {
  return {
    ...(given.subject !== undefined && { subject: checkText(given.subject, 'subject') }),
    ...(given.tenant !== undefined && { tenant: checkText(given.tenant, 'tenant') }),
  }
}

/**
 * A store of the application's own may not know a filter yet. What others own must not be shown for that.
 *
 * @throws {KeyStoreError} for what is not within the view
 */
export function refuseOthers(
  found: readonly { readonly subject?: string | null; readonly tenant?: string | null }[],
  { subject, tenant }: View,
): void {
  const isOutside = found.some(
    (one) => (subject !== undefined && one.subject !== subject) || (tenant !== undefined && one.tenant !== tenant),
  )
  if (isOutside) throw new KeyStoreError('The key store ignores the filters subject and tenant')
}
