import type { ComponentChild, JSX } from 'preact'
import { Fragment } from 'preact'
import { useState } from 'preact/hooks'
import { api } from '../api.js'
import { auditSentence, type Shown } from '../audit-sentence.js'
import { LAST_CHARACTERS } from '../confirmation.js'
import { useKeysById } from '../keys-by-id.js'
import { useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { texts } from '../texts.js'
import { Instant } from './instant.js'
import { KeyLink } from './key-name.js'
import { Problem } from './problem.js'
import { Tenant } from './tenant.js'

const t = texts.audit

/** What was done, newest first, in pages: to one key, or to all that the caller may see. */
export function Trail(props: {
  readonly id?: string
  readonly limit: number
  /** Whether each entry says whose key it is about. */
  readonly tenants: boolean
}): JSX.Element {
  const { id, limit, tenants } = props
  // Where the pages that were turned begin; the first one begins without a cursor.
  const [cursors, setCursors] = useState<readonly string[]>([])
  const cursor = cursors.at(-1)
  const { value, error, loading, reload } = useLoad(
    (signal) => api.audit({ id, cursor, limit }, signal),
    [id, cursor, limit],
  )
  useKeyEvents(({ keys, everything }) => {
    if (everything || id === undefined || keys.has(id)) reload()
  })
  const entries = value?.entries ?? []
  const records = useKeysById(
    entries.flatMap((entry) =>
      [entry.keyId, entry.successorId].filter((key): key is string => key !== null && key !== id),
    ),
  )
  const shown: Shown<ComponentChild> = {
    person: (actor) => <bdi class="person">{actor}</bdi>,
    key: (key) =>
      key === id ? (
        t.thisKey
      ) : (
        <>
          <KeyLink id={key} record={records.get(key)} /> <code class="quiet">…{key.slice(-LAST_CHARACTERS)}</code>
        </>
      ),
    name: (name) => <bdi class="quoted">{name}</bdi>,
  }

  return (
    <>
      <Problem error={error} retry={reload} />
      {value === undefined && loading && <p class="quiet">{t.loading}</p>}
      {value?.entries.length === 0 && <p class="quiet">{t.empty}</p>}
      <ol class="trail" aria-busy={loading}>
        {entries.map((entry) => (
          <li key={entry.seq}>
            <p>
              {auditSentence(entry, shown).map((piece, index) => (
                <Fragment key={index}>{piece}</Fragment>
              ))}
            </p>
            {entry.reason !== null && (
              <p class="reason">
                {t.reason} <bdi>{entry.reason}</bdi>
              </p>
            )}
            <p class="quiet small">
              <Instant at={entry.at} none="" as="date-time" />
              {tenants && (
                <>
                  {' · '}
                  {t.tenant} <Tenant name={entry.tenant} />
                </>
              )}
            </p>
          </li>
        ))}
      </ol>
      {(cursors.length > 0 || (value !== undefined && value.cursor !== null)) && (
        <nav class="actions" aria-label={t.pages}>
          <Turn text={t.newer} to={cursors.length > 0 ? () => setCursors(cursors.slice(0, -1)) : undefined} />
          <Turn
            text={t.older}
            to={value?.cursor ? () => setCursors([...cursors, value.cursor as string]) : undefined}
          />
        </nav>
      )}
    </>
  )
}

/** Stays where it is when there is nothing to turn to, so that the focus is not lost. */
function Turn(props: { readonly text: string; readonly to: (() => void) | undefined }): JSX.Element {
  return (
    <button type="button" aria-disabled={props.to === undefined} onClick={props.to}>
      {props.text}
    </button>
  )
}
