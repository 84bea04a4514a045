import type { KeyListQuery } from './api.js'

/** What the reader of the list has chosen. */
export interface Choice {
  readonly search: string
  readonly state: string
  readonly unused: boolean
  readonly expiring: boolean
  readonly replacedInUse: boolean
  readonly sort: Sort
  /** The cursors of the pages up to the one in view: none for the first. */
  readonly pages: readonly string[]
}

export const COLUMNS = ['name', 'created', 'expires', 'lastUsed'] as const

/** A column that can be sorted by, with `-` in front for descending. */
export type Sort = `${'' | '-'}${(typeof COLUMNS)[number]}`

export const PAGE_SIZE = 100

export const EVERYTHING: Choice = {
  search: '',
  state: '',
  unused: false,
  expiring: false,
  replacedInUse: false,
  sort: '-created',
  pages: [],
}

/** What the API is asked for. */
export function toQuery({ search, state, unused, expiring, replacedInUse, sort, pages }: Choice): KeyListQuery {
  return {
    search: search.trim() || undefined,
    state: state || undefined,
    unusedFor: unused ? '90d' : undefined,
    expiringWithin: expiring ? '30d' : undefined,
    supersededInUse: replacedInUse || undefined,
    sort,
    usage: 30,
    limit: PAGE_SIZE,
    cursor: pages.at(-1),
  }
}

/** Whether some keys are left out on purpose. */
export function isNarrowed({ search, state, unused, expiring, replacedInUse }: Choice): boolean {
  return search.trim() !== '' || state !== '' || unused || expiring || replacedInUse
}

/** The next order by a column: names from A, instants from the newest, and the other way round at the second time. */
export function nextSort(current: Sort, column: (typeof COLUMNS)[number]): Sort {
  const first: Sort = column === 'name' || column === 'expires' ? column : `-${column}`
  const other: Sort = first === column ? `-${column}` : column
  return current === first ? other : first
}
