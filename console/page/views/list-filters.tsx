import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { withoutSecrets } from '../key-text.js'
import type { Choice } from '../list-query.js'
import { texts } from '../texts.js'

const t = texts.list
/** How long nothing is typed before the API is asked. */
const TYPING_PAUSE_MS = 200
const FILTERS = ['unused', 'expiring', 'replacedInUse'] as const
const STATES = ['active', 'superseded', 'expired', 'revoked'] as const

/** Search and filters, above the list. */
export function ListFilters(props: {
  readonly choice: Choice
  readonly onChange: (changed: Partial<Choice>) => void
}): JSX.Element {
  const { choice, onChange } = props
  return (
    <search class="filters">
      <Search value={choice.search} onChange={(search) => onChange({ search })} />
      <div class="field">
        <label for="state">{t.state}</label>
        <select id="state" value={choice.state} onChange={(event) => onChange({ state: event.currentTarget.value })}>
          <option value="">{t.anyState}</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {texts.state[state]}
            </option>
          ))}
        </select>
      </div>
      <fieldset class="field">
        <legend>{t.only}</legend>
        <div class="actions">
          {FILTERS.map((filter) => (
            <label key={filter} class="check chip">
              <input
                type="checkbox"
                checked={choice[filter]}
                onChange={(event) => onChange({ [filter]: event.currentTarget.checked })}
              />
              {t.filters[filter]}
            </label>
          ))}
        </div>
      </fieldset>
    </search>
  )
}

/** Of a whole key that somebody pastes, only the public part stays in the field and is searched for. */
function Search(props: { readonly value: string; readonly onChange: (search: string) => void }): JSX.Element {
  const { value, onChange } = props
  const [text, setText] = useState(value)
  const [removed, setRemoved] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => setText(value), [value])
  useEffect(() => () => clearTimeout(timer.current), [])

  function typed(input: HTMLInputElement): void {
    const clean = withoutSecrets(input.value)
    // At once, and not with the next rendering: nothing else may read it there.
    if (clean.removed) input.value = clean.text
    setText(clean.text)
    setRemoved(clean.removed)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => onChange(clean.text), TYPING_PAUSE_MS)
  }

  return (
    <div class="field grow">
      <label for="search">{t.search}</label>
      <input
        id="search"
        type="search"
        placeholder={t.searchHint}
        maxLength={256}
        autocomplete="off"
        spellcheck={false}
        value={text}
        aria-describedby="search-note"
        onInput={(event) => typed(event.currentTarget)}
      />
      <p id="search-note" role="status" class="warning">
        {removed && t.secretRemoved}
      </p>
    </div>
  )
}
