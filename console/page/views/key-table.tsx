import type { JSX } from 'preact'
import type { KeyJson } from '../../api-types.js'
import { COLUMNS, nextSort, type Sort } from '../list-query.js'
import { Sparkline } from '../parts/bars.js'
import { Instant } from '../parts/instant.js'
import { nameOf } from '../parts/key-name.js'
import { State } from '../parts/state.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'

const t = texts.list
const HEADERS = ['name', 'hint', 'scopes', 'owner', 'created', 'expires', 'lastUsed', 'uses', 'state'] as const
const SHOWN_SCOPES = 2

/** A page of keys. On a narrow screen each row is a card. */
export function KeyTable(props: {
  readonly keys: readonly KeyJson[]
  readonly sort: Sort
  readonly loading: boolean
  /** All of these keys were replaced and are still used: the list was asked for no others. */
  readonly stillUsed: boolean
  readonly onSort: (sort: Sort) => void
}): JSX.Element {
  const { keys, sort, loading, onSort } = props
  const byId = new Map(keys.map((key) => [key.id, key]))
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways has to be reachable by keyboard
    <section class="table keys" aria-label={t.tableRegion} aria-busy={loading} tabIndex={0}>
      <table aria-label={t.table}>
        <thead>
          <tr>
            {HEADERS.map((header) => (
              <Header key={header} header={header} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <Row
              key={key.id}
              record={key}
              stillUsed={props.stillUsed || isStillUsed(key, byId.get(key.replacedBy ?? ''))}
            />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Header(props: {
  readonly header: (typeof HEADERS)[number]
  readonly sort: Sort
  readonly onSort: (sort: Sort) => void
}): JSX.Element {
  const { header, sort, onSort } = props
  const column = COLUMNS.find((name) => name === header)
  if (column === undefined) return <th scope="col">{t.columns[header]}</th>
  const direction = sort === column ? 'ascending' : sort === `-${column}` ? 'descending' : undefined
  return (
    <th scope="col" class="sortable" aria-sort={direction}>
      <button type="button" class="plain" onClick={() => onSort(nextSort(sort, column))}>
        {t.columns[header]}
        <span class={direction === undefined ? 'arrow' : `arrow ${direction}`} aria-hidden="true" />
      </button>
    </th>
  )
}

/** Whether a key was used since its successor was made; `false` where the successor is not in the list. */
function isStillUsed({ state, lastUsedAt }: KeyJson, successor: KeyJson | undefined): boolean {
  return state === 'superseded' && successor !== undefined && lastUsedAt !== null && lastUsedAt > successor.createdAt
}

function Row({ record, stillUsed }: { readonly record: KeyJson; readonly stillUsed: boolean }): JSX.Element {
  const { id, hint, scopes, subject, createdAt, expiresAt, lastUsedAt, usage, state } = record
  return (
    <tr>
      <th scope="row">
        <a class="name" href={formatRoute({ view: 'key', id })} title={nameOf(record)}>
          <bdi>{nameOf(record)}</bdi>
        </a>
      </th>
      <td class="hint-cell">
        <code>{hint}</code>
      </td>
      <td class="scopes-cell" data-label={t.columns.scopes}>
        <Scopes scopes={scopes} />
      </td>
      <td data-label={t.columns.owner}>
        <bdi class="clip" title={subject}>
          {subject}
        </bdi>
      </td>
      <td data-label={t.columns.created}>
        <Instant at={createdAt} none="" />
      </td>
      <td data-label={t.columns.expires}>
        <Instant at={expiresAt} none={texts.date.never} />
      </td>
      <td data-label={t.columns.lastUsed}>
        <Instant at={lastUsedAt} none={texts.date.never} as="relative" />
      </td>
      <td data-label={t.columns.uses}>{usage !== undefined && <Sparkline values={usage} />}</td>
      <td data-label={t.columns.state}>
        <State state={state} />
        {stillUsed && <span class="warning small"> {t.stillUsed}</span>}
      </td>
    </tr>
  )
}

/** The first two; all of them to readers of the screen and under the pointer. The view of the key lists them. */
function Scopes({ scopes }: { readonly scopes: readonly string[] }): JSX.Element {
  const rest = scopes.slice(SHOWN_SCOPES)
  return (
    <span class="scopes" title={scopes.join(' ')}>
      {scopes.slice(0, SHOWN_SCOPES).map((scope) => (
        <code key={scope}>{scope}</code>
      ))}
      {rest.length > 0 && (
        <>
          <span class="quiet small" aria-hidden="true">
            {t.more(rest.length)}
          </span>
          <span class="visually-hidden">{rest.join(' ')}</span>
        </>
      )}
    </span>
  )
}
