import type { ComponentChildren, JSX } from 'preact'
import { useId } from 'preact/hooks'

/** A field for one line of text, with what it is for below it, or what is wrong. */
export function TextField(props: {
  readonly label: string
  readonly hint?: ComponentChildren
  readonly error?: string | undefined
  readonly value: string
  readonly onInput: (text: string) => void
}): JSX.Element {
  const { label, hint, error, value, onInput } = props
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        maxLength={MAX_LENGTH}
        autocomplete="off"
        spellcheck={false}
        value={value}
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-note`}
        onInput={({ currentTarget: { value } }) => onInput(value)}
      />
      <p
        id={`${id}-note`}
        role={error === undefined ? undefined : 'alert'}
        class={error === undefined ? 'hint' : 'error'}
      >
        {error ?? hint}
      </p>
    </div>
  )
}

/** As the server accepts them. */
const MAX_LENGTH = 256
