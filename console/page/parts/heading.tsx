import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

let firstView = true

/**
 * The h1 of a view. It takes the focus when the view replaces another one, so that readers of the screen and users of the
 * keyboard begin at its top.
 */
export function Heading(props: { readonly title: string; readonly children?: ComponentChildren }): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = props.title
  }, [props.title])
  useEffect(() => {
    if (!firstView) heading.current?.focus()
    firstView = false
  }, [])
  return (
    <h1 ref={heading} tabIndex={-1}>
      {props.children ?? props.title}
    </h1>
  )
}
