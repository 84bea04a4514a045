import type { ComponentChild, JSX } from 'preact'
import type { KeyJson } from '../../api-types.js'
import { COLUMNS, nextSort, type Sort } from '../list-query.js'
import { Sparkline } from '../parts/bars.js'
import { Instant } from '../parts/instant.js'
import { nameOf } from '../parts/key-name.js'
import { State } from '../parts/state.js'
import { Tenant } from '../parts/tenant.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'

const t = texts.list
const SHOWN_SCOPES = 2

interface Column {
  readonly name: keyof typeof t.columns
  readonly class?: string
  /** What the cell of a key shows; the first column is the header of its row. */
  readonly cell: (record: KeyJson, stillUsed: boolean) => ComponentChild
}

const TABLE: readonly Column[] = [
  { name: 'name', cell: (record) => <Name record={record} /> },
  { name: 'hint', class: 'hint-cell', cell: ({ hint }) => <code>{hint}</code> },
  { name: 'scopes', class: 'scopes-cell', cell: ({ scopes }) => <Scopes scopes={scopes} /> },
  { name: 'owner', cell: ({ subject }) => <Clip text={subject} /> },
  { name: 'tenant', cell: ({ tenant }) => <Tenant name={tenant} /> },
  { name: 'created', cell: ({ createdAt }) => <Instant at={createdAt} none="" /> },
  { name: 'expires', cell: ({ expiresAt }) => <Instant at={expiresAt} none={texts.date.never} /> },
  { name: 'lastUsed', cell: ({ lastUsedAt }) => <Instant at={lastUsedAt} none={texts.date.never} as="relative" /> },
  { name: 'uses', cell: ({ usage }) => usage !== undefined && <Sparkline values={usage} /> },
  {
    name: 'state',
    cell: ({ state }, stillUsed) => (
      <span class="state-cell">
        <State state={state} />
        {stillUsed && <span class="warning small">{t.stillUsed}</span>}
      </span>
    ),
  },
]

/** A page of keys. On a narrow screen each row is a card. */
export function KeyTable(props: {
  readonly keys: readonly KeyJson[]
  readonly sort: Sort
  readonly loading: boolean
  /** All of these keys were replaced and are still used: the list was asked for no others. */
  readonly stillUsed: boolean
  /** Whether keys of several tenants are shown. */
  readonly tenants: boolean
  readonly onSort: (sort: Sort) => void
}): JSX.Element {
  const { keys, sort, loading, onSort } = props
  const columns = TABLE.filter(({ name }) => name !== 'tenant' || props.tenants)
  const byId = new Map(keys.map((key) => [key.id, key]))
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways has to be reachable by keyboard
    <section class="table keys" aria-label={t.tableRegion} aria-busy={loading} tabIndex={0}>
      <table aria-label={t.table}>
        <thead>
          <tr>
            {columns.map(({ name }) => (
              <Header key={name} header={name} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <Row
              key={key.id}
              record={key}
              columns={columns}
              stillUsed={props.stillUsed || isStillUsed(key, byId.get(key.replacedBy ?? ''))}
            />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Header(props: {
  readonly header: Column['name']
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

function Row(props: {
  readonly record: KeyJson
  readonly columns: readonly Column[]
  readonly stillUsed: boolean
}): JSX.Element {
  const { record, columns, stillUsed } = props
  return (
    <tr>
      {columns.map(({ name, class: className, cell }) =>
        name === 'name' ? (
          <th key={name} scope="row">
            {cell(record, stillUsed)}
          </th>
        ) : (
          <td key={name} class={className} data-label={name === 'hint' ? undefined : t.columns[name]}>
            {cell(record, stillUsed)}
          </td>
        ),
      )}
    </tr>
  )
}

function Name({ record }: { readonly record: KeyJson }): JSX.Element {
  return (
    <a class="name" href={formatRoute({ view: 'key', id: record.id })} title={nameOf(record)}>
      <bdi>{nameOf(record)}</bdi>
    </a>
  )
}

function Clip({ text }: { readonly text: string }): JSX.Element {
  return (
    <bdi class="clip" title={text}>
      {text}
    </bdi>
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
