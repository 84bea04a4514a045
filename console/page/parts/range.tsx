import type { JSX } from 'preact'
import { texts } from '../texts.js'

const t = texts.range

/** The days that usage can be shown for. The API has those of the last year. */
export const RANGES = [30, 90, 365] as const

export type Range = (typeof RANGES)[number]

/** Which time to show. */
export function RangeChoice(props: { readonly value: Range; readonly onChange: (days: Range) => void }): JSX.Element {
  return (
    <fieldset class="choice">
      <legend class="visually-hidden">{t.legend}</legend>
      {RANGES.map((days) => (
        <label key={days}>
          <input type="radio" name="range" checked={days === props.value} onChange={() => props.onChange(days)} />
          <span>{t.days(days)}</span>
        </label>
      ))}
    </fieldset>
  )
}
