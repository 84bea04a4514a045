import type { JSX } from 'preact'
import { texts } from '../texts.js'

/** Whose a key is: shown to those who see keys of all tenants. A key may be of none. */
export function Tenant({ name }: { readonly name: string | null }): JSX.Element {
  return name === null ? (
    <span class="quiet">{texts.key.noTenant}</span>
  ) : (
    <bdi class="clip" title={name}>
      {name}
    </bdi>
  )
}
