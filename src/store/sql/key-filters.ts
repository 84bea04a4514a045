import type { KeyQuery, KeyState } from '../contract.js'
import { NEWEST_FIRST } from '../key-order.js'
import type { Parameters } from './dialect.js'
import { comesAfter, lastUse } from './key-order.js'

type Filters = Required<Omit<KeyQuery, NoFilter>>
/** Each database searches in a way of its own. */
type NoFilter = 'now' | 'limit' | 'sort' | 'usageSince' | 'search'

/**
 * The conditions of a query for keys, for both databases. All of them must hold. A new filter does not compile until it
 * has its line here.
 */
export function writeKeyFilters(query: KeyQuery, parameters: Parameters): string[] {
  const { table, value, instant } = parameters
  const unended = () => `revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ${instant(query.now)})`

  const states: Readonly<Record<KeyState, () => string>> = {
    revoked: () => 'revoked_at IS NOT NULL',
    expired: () => `revoked_at IS NULL AND expires_at <= ${instant(query.now)}`,
    superseded: () => `${unended()} AND replaced_by IS NOT NULL`,
    active: () => `${unended()} AND replaced_by IS NULL`,
  }

  const filters: { readonly [F in keyof Filters]: (given: Filters[F]) => string } = {
    id: (id) => `id = ${value(id)}`,
    subject: (subject) => `subject = ${value(subject)}`,
    tenant: (tenant) => `tenant = ${value(tenant)}`,
    state: (state) => states[state](),
    unusedSince: (since) =>
      `created_at < ${instant(since)} AND coalesce(${lastUse(parameters)}, ${instant(0)}) < ${instant(since)}`,
    expiringBefore: (before) =>
      `revoked_at IS NULL AND expires_at > ${instant(query.now)} AND expires_at < ${instant(before)}`,
    createdBefore: (before) => `created_at < ${instant(before)}`,
    supersededInUse: () =>
      `${states.superseded()} AND ${lastUse(parameters)} >= (
        SELECT s.created_at FROM ${table('vantage_keys')} s WHERE s.id = vantage_keys.replaced_by)`,
    after: (place) => comesAfter(place, query.sort ?? NEWEST_FIRST, parameters),
  }

  const asked: { readonly [F in keyof Filters]?: Filters[F] } = query

  function write<F extends keyof Filters>(name: F): string[] {
    const given = asked[name]
    return given === undefined ? [] : [`(${filters[name](given)})`]
  }

  return (Object.keys(filters) as (keyof Filters)[]).flatMap((name) => write(name))
}
