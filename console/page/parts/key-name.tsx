import type { JSX } from 'preact'
import type { KeyJson } from '../../api-types.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'

/**
 * Something that leaves a mark on the screen. Marks that turn the direction of writing do not, nor do Hangul fillers, the
 * Braille pattern without dots and the note head that is none.
 */
const VISIBLE = /[^\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]/u

/** What a key is called where people read: its name, or its public beginning where it has no name that can be seen. */
export function nameOf(key: Pick<KeyJson, 'name' | 'hint'>): string {
  return key.name !== null && VISIBLE.test(key.name) ? key.name : key.hint
}

/** A link to a key. Of a key that is no longer there, or not loaded yet, the id is shown. */
export function KeyLink(props: { readonly id: string; readonly record: KeyJson | undefined }): JSX.Element {
  const { id, record } = props
  return (
    <a href={formatRoute({ view: 'key', id })}>
      {record === undefined ? <code>{id}</code> : <bdi class="key-name">{nameOf(record)}</bdi>}
    </a>
  )
}

/** The way back, above the heading of a view: to the list, and to the key where the view is about something to do to it. */
export function Crumb({ record }: { readonly record?: KeyJson | undefined }): JSX.Element {
  return (
    <nav class="crumb" aria-label={texts.key.way}>
      <a href={formatRoute({ view: 'list' })}>{texts.key.back}</a>
      {record !== undefined && <KeyLink id={record.id} record={record} />}
    </nav>
  )
}
