import type { ComponentChildren, JSX } from 'preact'
import type { KeyJson } from '../../api-types.js'
import type { Loaded } from '../load.js'
import { texts } from '../texts.js'
import { Heading } from './heading.js'
import { Crumb } from './key-name.js'
import { Problem } from './problem.js'

const t = texts.key

/**
 * What the views of one key have in common: the way back, the heading, and what is said while there is no key to show. It
 * stays while the key arrives, so that the heading keeps the focus.
 */
export function KeyFrame(props: {
  readonly loaded: Loaded<KeyJson>
  readonly title: string
  /** The heading, where it is more than the title. */
  readonly heading?: ComponentChildren
  /** Whether the way back leads by the key. */
  readonly byKey?: boolean
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}): JSX.Element {
  const { loaded, title, heading, byKey, actions, children } = props
  const { value, error, reload } = loaded
  const absent = value === undefined && error?.status === 404
  return (
    <>
      <Crumb record={byKey ? value : undefined} />
      <div class="head">
        <Heading title={absent ? t.notFound : title}>{absent ? undefined : heading}</Heading>
        {actions}
      </div>
      {value === undefined && error === undefined && <p class="quiet">{t.loading}</p>}
      {absent ? <p>{t.notFoundDetail}</p> : <Problem error={error} retry={reload} />}
      {children}
    </>
  )
}
