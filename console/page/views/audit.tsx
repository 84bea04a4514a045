import type { JSX } from 'preact'
import { Heading } from '../parts/heading.js'
import { Trail } from '../parts/trail.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

/** What was done to all keys that the caller may see. */
export function Audit({ session }: ViewProps): JSX.Element {
  return (
    <>
      <Heading title={texts.audit.title} />
      <section class="card" aria-label={texts.audit.title}>
        <Trail limit={50} tenants={session?.tenant === null} />
      </section>
    </>
  )
}
