import type { JSX } from 'preact'
import { Heading } from '../parts/heading.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

export function Usage(_props: ViewProps): JSX.Element {
  return <Heading title={texts.usage.title} />
}
