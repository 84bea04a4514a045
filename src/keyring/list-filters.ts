import { containsApiKey, looksLikeApiKey } from '../api-key/format.js'
import { ArgumentError } from '../core/argument-error.js'
import { parseDuration } from '../core/duration.js'
import { KEY_STATES, type KeyQuery, type KeyState } from '../store/contract.js'
import { checkNames, checkText, checkWhole } from './arguments.js'
import type { ListKeysOptions } from './contract.js'
import { firstOfDays } from './days.js'
import { parseCursor, parseSort } from './sort.js'

const DEFAULT_LENGTH = 100
/** Counts of one list: those of 100 keys over 366 days. More would hold up the process that reads them. */
const MOST_COUNTS = 36_600

/** What each option of `list()` asks of the store. An option without an entry does not compile. */
const LIST_FILTERS: {
  readonly [Option in keyof ListKeysOptions]-?: (given: unknown, now: number) => Partial<KeyQuery>
} = {
  subject: (given) => ({ subject: checkText(given, 'subject') }),
  tenant: (given) => ({ tenant: checkText(given, 'tenant') }),
  state: (given) => ({ state: checkState(given) }),
  unusedFor: (given, now) => ({ unusedSince: now - parseDuration(given, 'unusedFor') }),
  expiringWithin: (given, now) => ({ expiringBefore: now + parseDuration(given, 'expiringWithin') }),
  olderThan: (given, now) => ({ createdBefore: now - parseDuration(given, 'olderThan') }),
  supersededInUse: (given) => (checkSwitch(given, 'supersededInUse') ? { supersededInUse: true } : {}),
  search: (given) => ({ search: checkSearch(given) }),
  sort: (given) => ({ sort: parseSort(given) }),
  usage: (given, now) => ({ usageSince: firstOfDays(checkWhole(given, 'usage', 366), now) }),
  // Which places there are, the sort tells: see below.
  cursor: () => ({}),
  limit: (given) => ({ limit: checkWhole(given, 'limit', 1000) }),
}

/** @throws {TypeError} for an unknown or wrong option */
export function readListFilters(given: ListKeysOptions, now: number): KeyQuery {
  checkNames('list()', given, Object.keys(LIST_FILTERS))
  const query: KeyQuery = { now, limit: DEFAULT_LENGTH }
  for (const [option, filter] of Object.entries(LIST_FILTERS)) {
    // `list()` is also called from JavaScript, so that each value is checked whatever its type says.
    const value: unknown = given[option as keyof ListKeysOptions]
    if (value !== undefined) Object.assign(query, filter(value, now))
  }
  const { cursor, usage = 0 } = given
  if (query.limit * usage > MOST_COUNTS) {
    throw new ArgumentError(
      'usage',
      `times limit must be at most ${MOST_COUNTS}; ask for fewer days, or for shorter pages`,
    )
  }
  return cursor === undefined || cursor === null ? query : { ...query, after: parseCursor(cursor, query.sort) }
}

/** A hint is shown with three dots behind it, and copied with them. */
function checkSearch(given: unknown): string {
  if (typeof given === 'string' && containsApiKey(given)) {
    throw new ArgumentError('search', 'must not hold an API key; its hint, or its id, finds it as well')
  }
  const text = checkText(given, 'search')
  return looksLikeApiKey(text) ? text.replace(/…$/, '') : text
}

function checkState(given: unknown): KeyState {
  const state = KEY_STATES.find((name) => name === given)
  if (state === undefined) throw new ArgumentError('state', `must be one of ${KEY_STATES.join(', ')}`)
  return state
}

function checkSwitch(given: unknown, name: string): boolean {
  if (typeof given !== 'boolean') throw new ArgumentError(name, 'must be true or false')
  return given
}
