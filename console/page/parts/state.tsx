import type { JSX } from 'preact'
import type { KeyJson } from '../../api-types.js'
import { texts } from '../texts.js'

/** The state of a key, in a word; the colour only repeats it. */
export function State(props: { readonly state: KeyJson['state'] }): JSX.Element {
  return <span class={`state ${props.state}`}>{texts.state[props.state]}</span>
}
