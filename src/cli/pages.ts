import { type Arguments, type Options, UsageError } from './command.js'
import { toJson } from './json.js'
import { isUnread } from './output.js'
import { notice, outputColumns, printJson, printOverProgress, withProgress } from './terminal.js'

/** Options of a command that prints a list which can be long. */
export const PAGE_OPTIONS: Options = {
  limit: { value: 'N', help: 'at most so many in all' },
  all: { help: 'to the end, also on a terminal, where 100 are shown otherwise' },
  cursor: { value: 'TEXT', help: 'from where the last list stopped, as it said' },
  jsonl: { help: 'print JSON, a document a line' },
}

/** What a terminal shows of a list unless it is asked for more. */
const ON_A_TERMINAL = 100
const PAGE_LENGTH = 1000

interface Page<T> {
  readonly items: readonly T[]
  readonly cursor: string | null
}

interface List<T> {
  /** What its items are called: `keys`. */
  readonly name: string
  read(page: { limit: number; cursor: string | null | undefined }): Promise<Page<T>>
  /** A page as a table. Only the first one has a heading. */
  format(items: readonly T[], hasHeading: boolean): string
}

/**
 * Prints a list as the arguments say, page by page. Under `--json` it is one document: the items by their name, and the
 * cursor.
 */
export async function printList<T>(given: Arguments, { name, read, format }: List<T>): Promise<void> {
  const limit = readLimit(given)
  checkFormat(given)
  const isShown = !given.is('json') && !given.is('jsonl')
  const most = limit ?? (isShown && !given.is('all') && outputColumns() !== undefined ? ON_A_TERMINAL : undefined)
  const items: T[] = []
  let count = 0
  const each = async (page: readonly T[]) => {
    const hasHeading = count === 0
    count += page.length
    if (given.is('jsonl')) await printLines(page)
    else if (given.is('json')) items.push(...page)
    else if (page.length > 0) await printOverProgress(format(page, hasHeading))
  }
  const cursor = await withProgress(
    () => `${count} ${name}`,
    () => readPages(read, given.text('cursor'), most, each),
  )
  if (given.is('json')) printJson({ [name]: items, cursor })
  else if (isShown && count === 0) notice(`There are no such ${name}.`)
  if (cursor === null || isUnread()) return
  const stop = limit === undefined ? `These are the first ${most}` : `Stopped at --limit ${limit}`
  notice(`${stop}. There are more: ${limit === undefined ? '--all, or ' : ''}--cursor ${cursor}`)
}

/** Gives every item of a list to a function, page by page. */
export async function forEachPage<T>(
  name: string,
  read: List<T>['read'],
  each: (items: readonly T[]) => Promise<void>,
): Promise<void> {
  let count = 0
  const take = (page: readonly T[]) => {
    count += page.length
    return each(page)
  }
  await withProgress(
    () => `${count} ${name}`,
    () => readPages(read, undefined, undefined, take),
  )
}

/** Resolves to the cursor of what is left, or `null` at the end. Stops when nobody reads the output any more. */
async function readPages<T>(
  read: List<T>['read'],
  start: string | undefined,
  most = Number.POSITIVE_INFINITY,
  each: (items: readonly T[]) => Promise<void>,
): Promise<string | null> {
  let cursor: string | null | undefined = start
  for (let left = most; left > 0; ) {
    const page = await read({ limit: Math.min(left, PAGE_LENGTH), cursor })
    await each(page.items)
    cursor = page.cursor
    if (cursor === null) return null
    if (isUnread()) break
    left -= page.items.length
  }
  return cursor ?? null
}

/** Prints one JSON document a line. Waits for a slow reader, so that a long list is not kept in memory. */
export async function printLines(documents: readonly unknown[]): Promise<void> {
  const lines = documents.map((document) => `${toJson(document)}\n`).join('')
  if (lines !== '') await printOverProgress(lines)
}

/** @throws {UsageError} for two formats */
export function checkFormat(given: Arguments): void {
  if (given.is('json') && given.is('jsonl')) throw new UsageError('--json and --jsonl do not go together')
}

function readLimit(given: Arguments): number | undefined {
  const value = given.text('limit')
  if (value === undefined) return undefined
  if (given.is('all')) throw new UsageError('--limit and --all do not go together')
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new UsageError('--limit must be a whole number, at least 1')
  return Number(value)
}
