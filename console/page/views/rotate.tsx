import type { JSX } from 'preact'
import { Heading } from '../parts/heading.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'

export function Rotate(_props: ViewProps & { readonly id: string }): JSX.Element {
  return <Heading title={texts.rotate.title} />
}
