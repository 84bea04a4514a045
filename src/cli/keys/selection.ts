import { formatGiven, mayBeRepeated } from '../../core/given.js'
import { checkId } from '../../keyring/arguments.js'
import type { Keyring, ListKeysOptions } from '../../keyring/contract.js'
import type { KeyRecord } from '../../keyring/records.js'
import { type Arguments, readDuration, refuseToken, UsageError } from '../command.js'
import { readStandardInput } from '../standard-input.js'

/** More keys than that are chosen by mistake, or in several steps. */
const MOST_KEYS = 100_000
/** As many ids as that, of the longest kind. */
const MOST_BYTES = 65 * MOST_KEYS

/** How the arguments choose keys. All that is given must hold. */
export interface KeyChoice {
  /** `undefined` for keys of any id. */
  readonly ids: readonly string[] | undefined
  readonly filters: Pick<ListKeysOptions, 'subject' | 'tenant' | 'unusedFor'>
  /** Whether one key was named, and nothing else was given. */
  readonly isOne: boolean
}

/** @throws {UsageError} when nothing is given, and for what is wrong or empty */
export async function readKeyChoice(given: Arguments): Promise<KeyChoice> {
  const { operands } = given
  const subject = given.text('subject')
  refuseToken(subject, 'subject', 'sub')
  const filters = {
    ...(subject !== undefined && { subject }),
    ...(given.text('tenant') !== undefined && { tenant: given.text('tenant') }),
    ...(given.text('unused') !== undefined && { unusedFor: readDuration(given, 'unused') }),
  }
  const isFiltered = Object.keys(filters).length > 0
  if (operands.length === 0) {
    if (isFiltered) return { ids: undefined, filters, isOne: false }
    throw new UsageError('ID is missing: name keys, or choose them by --subject, --tenant or --unused')
  }
  const ids = operands.filter((word) => word !== '-')
  for (const id of ids) checkId(id)
  if (ids.length < operands.length) ids.push(...(await readIds()))
  const unique = [...new Set(ids)]
  if (unique.length > MOST_KEYS) throw tooMany()
  return { ids: unique, filters, isOne: operands.length === 1 && !operands.includes('-') && !isFiltered }
}

async function readIds(): Promise<string[]> {
  const words = (await readStandardInput(MOST_BYTES)).split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) throw new UsageError('standard input has no ids')
  for (const [index, word] of words.entries()) {
    try {
      checkId(word)
    } catch (error) {
      // The word itself is not shown: it may be a key.
      throw new UsageError(`word ${index + 1} of standard input: ${(error as Error).message}`)
    }
  }
  return words
}

/** The keys that were chosen, as they are. */
export interface ChosenKeys {
  /** Those that are still accepted, or have expired. */
  readonly keys: readonly KeyRecord[]
  readonly revoked: readonly KeyRecord[]
  /** Ids that no key has. */
  readonly unknown: readonly string[]
  /** Keys that were named, and do not meet the filters. */
  readonly unmatched: readonly KeyRecord[]
}

/** @param onFound is told how many keys were found so far */
export async function findChosenKeys(
  keyring: Keyring,
  { ids, filters }: KeyChoice,
  onFound: (count: number) => void,
): Promise<ChosenKeys> {
  if (ids === undefined) {
    const keys = await listAccepted(keyring, filters, onFound)
    return { keys, revoked: [], unknown: [], unmatched: [] }
  }
  // Filters are judged by the store, so that they mean the same as in a list.
  const meets = Object.keys(filters).length === 0 ? undefined : new Set<string>()
  const named = new Set(ids)
  const chosen = {
    keys: [] as KeyRecord[],
    revoked: [] as KeyRecord[],
    unknown: [] as string[],
    unmatched: [] as KeyRecord[],
  }
  if (meets !== undefined) for await (const { id } of listAll(keyring, filters)) if (named.has(id)) meets.add(id)
  for (const [index, id] of ids.entries()) {
    const record = await keyring.get(id)
    if (record === undefined) chosen.unknown.push(id)
    else if (meets?.has(id) === false) chosen.unmatched.push(record)
    else if (record.state === 'revoked') chosen.revoked.push(record)
    else chosen.keys.push(record)
    onFound(index + 1)
  }
  return chosen
}

/** Keys that have not ended. What has expired has ended by itself. */
async function listAccepted(
  keyring: Keyring,
  filters: ListKeysOptions,
  onFound: (count: number) => void,
): Promise<KeyRecord[]> {
  const found = new Map<string, KeyRecord>()
  // In this order, so that a key that is rotated meanwhile is in one of the two lists at least.
  for (const state of ['active', 'superseded'] as const) {
    for await (const record of listAll(keyring, { ...filters, state })) {
      found.set(record.id, record)
      if (found.size > MOST_KEYS) throw tooMany()
      onFound(found.size)
    }
  }
  return [...found.values()]
}

/** Keys of all pages. */
async function* listAll(keyring: Keyring, filters: ListKeysOptions): AsyncGenerator<KeyRecord> {
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<Keyring['list']>> = await keyring.list({ ...filters, limit: 1000, cursor })
    yield* page.keys
    cursor = page.cursor
    if (cursor === null) return
  }
}

function tooMany(): UsageError {
  return new UsageError(`more than ${MOST_KEYS} keys; choose fewer at a time`)
}

/** Ids as JSON shows them. What was given as an id, and is none, may be a part of a key. */
export function showIds(ids: readonly string[]): string[] {
  return ids.map((id) => (mayBeRepeated(id) ? id : formatGiven(id)))
}

/** Ids as a message shows them. */
export function formatIds(ids: readonly string[]): string {
  const shown = ids.slice(0, 20).map(formatGiven).join(', ')
  return ids.length > 20 ? `${shown} and ${ids.length - 20} more` : shown
}
