import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { api } from '../api.js'
import { type Choice, EVERYTHING, isNarrowed, PAGE_SIZE, toQuery } from '../list-query.js'
import { useKeyEvents } from '../live.js'
import { useLoad } from '../load.js'
import { Heading } from '../parts/heading.js'
import { Problem } from '../parts/problem.js'
import { go } from '../router.js'
import { formatRoute } from '../routes.js'
import { texts } from '../texts.js'
import type { ViewProps } from '../view.js'
import { KeyTable } from './key-table.js'
import { ListFilters } from './list-filters.js'

const t = texts.list

/** Back from a key, the list is as it was left. */
let lastChoice = EVERYTHING

/** The list begins anew: a key that was just made is in it, whatever was searched for before. */
export function resetList(): void {
  lastChoice = EVERYTHING
}

/** The keys that the caller may see. */
export function List({ session }: ViewProps): JSX.Element {
  const [choice, setChoice] = useState(lastChoice)
  const { value, error, loading, reload } = useLoad(
    async (signal) => ({ ...(await api.keys(toQuery(choice), signal)), stillUsed: choice.replacedInUse }),
    [choice],
  )
  const [news, setNews] = useState(0)
  useKeyEvents(({ keys }) => {
    setNews(keys.size)
    reload()
  })
  lastChoice = choice
  const { pages } = choice
  const narrowed = isNarrowed(choice) || pages.length > 0

  /** Another order or another filter begins at the first page again. */
  function change(changed: Partial<Choice>): void {
    setNews(0)
    setChoice((old) => ({ ...old, pages: [], ...changed }))
  }

  const empty = value !== undefined && value.keys.length === 0
  return (
    <>
      <div class="head">
        <Heading title={t.title} />
        {session?.canWrite !== false && (
          <button type="button" class="primary" onClick={() => go({ view: 'generate' })}>
            {t.generate}
          </button>
        )}
      </div>
      {session?.canWrite === false && <p class="notice">{texts.shell.readOnly}</p>}
      <Problem error={error} retry={reload} />
      <ListFilters choice={choice} onChange={change} />
      {value === undefined ? (
        error === undefined && <Placeholder />
      ) : empty ? (
        <Empty narrowed={narrowed} canWrite={session?.canWrite !== false} onAll={() => setChoice(EVERYTHING)} />
      ) : (
        <KeyTable
          keys={value.keys}
          sort={choice.sort}
          loading={loading}
          stillUsed={value.stillUsed}
          tenants={session?.tenant === null}
          onSort={(sort) => change({ sort })}
        />
      )}
      <div class="paging">
        <p role="status" class="quiet">
          {value === undefined && error === undefined && t.loading}
          {value !== undefined && !empty && t.range(pages.length * PAGE_SIZE + 1, value.keys.length)}
          {news > 0 && ` ${t.changed(news)}`}
        </p>
        {value !== undefined && (pages.length > 0 || value.cursor !== null) && (
          <nav class="actions" aria-label={t.paging}>
            <PageButton
              label={t.previous}
              to={pages.length === 0 || loading ? undefined : () => change({ pages: pages.slice(0, -1) })}
            />
            <PageButton
              label={t.next}
              to={
                value.cursor === null || loading ? undefined : () => change({ pages: [...pages, value.cursor ?? ''] })
              }
            />
          </nav>
        )}
      </div>
    </>
  )
}

/** It is not `disabled` at the last page: the button that was just used would lose the focus. */
function PageButton({ label, to }: { readonly label: string; readonly to: (() => void) | undefined }): JSX.Element {
  return (
    <button
      type="button"
      aria-disabled={to === undefined}
      onClick={() => {
        if (to === undefined) return
        to()
        scrollTo({ top: 0 })
      }}
    >
      {label}
    </button>
  )
}

/** Takes the room of the first rows until they are there. */
function Placeholder(): JSX.Element {
  return <div class="table placeholder" aria-hidden="true" />
}

function Empty(props: {
  readonly narrowed: boolean
  readonly canWrite: boolean
  readonly onAll: () => void
}): JSX.Element {
  const { narrowed, canWrite, onAll } = props
  if (narrowed) {
    return (
      <div class="empty card">
        <h2>{t.noMatch}</h2>
        <p class="quiet">{t.noMatchDetail}</p>
        <button type="button" onClick={onAll}>
          {t.showAll}
        </button>
      </div>
    )
  }
  return (
    <div class="empty card">
      <h2>{t.empty}</h2>
      <p class="quiet">{t.emptyDetail}</p>
      {canWrite && (
        <a class="button" href={formatRoute({ view: 'generate' })}>
          {t.first}
        </a>
      )}
    </div>
  )
}
