import type { JSX } from 'preact'
import { serverNow } from '../api.js'
import { formatDate, formatDateTime, formatRelative, formatUtc } from '../dates.js'

/** An instant in the reader's zone; the pointer shows it in UTC. `none` is said where there is none. */
export function Instant(props: {
  readonly at: string | null
  readonly none: string
  readonly as?: 'date' | 'date-time' | 'relative'
}): JSX.Element {
  const { at, none, as = 'date' } = props
  if (at === null) return <span class="quiet">{none}</span>
  const text =
    as === 'relative' ? formatRelative(at, serverNow()) : as === 'date-time' ? formatDateTime(at) : formatDate(at)
  return (
    <time dateTime={at} title={formatUtc(at)}>
      {text}
    </time>
  )
}
