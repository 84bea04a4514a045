import type { JSX } from 'preact'
import { Heading } from '../parts/heading.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

export function Audit(_props: ViewProps): JSX.Element {
  return <Heading title={texts.audit.title} />
}
