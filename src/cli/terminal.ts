import type { KeyRecord } from '../keyring/records.js'

/**
 * Makes a text from a store safe for a terminal. Control, format and unassigned characters, which could move the cursor,
 * switch colours, set a title or reorder the line, are shown as their codes.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

/** Rows under a heading, in aligned columns. Columns in which no row has a value are left out. */
export function formatTable(heading: readonly string[], rows: readonly (readonly (string | null)[])[]): string {
  const columns = heading.map((_, column) => column).filter((column) => rows.some((row) => row[column] !== null))
  const cells = [heading, ...rows.map((row) => row.map((cell) => (cell === null ? '-' : shorten(printable(cell)))))]
  const widths = columns.map((column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))))
  return cells
    .map((row) => columns.map((column, i) => pad(row[column] ?? '', widths[i] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** Names and values, one pair a line, in two columns. */
export function formatFields(fields: readonly (readonly [string, string | null])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length))
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value === null ? '-' : printable(value)}\n`).join('')
}

const LONGEST_CELL = 120

function shorten(cell: string): string {
  const characters = [...cell]
  return characters.length <= LONGEST_CELL ? cell : `${characters.slice(0, LONGEST_CELL - 1).join('')}…`
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/u

/** How many columns a text takes on a terminal. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1
  return width
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

export function formatKeys(keys: readonly KeyRecord[]): string {
  return formatTable(
    ['ID', 'STATE', 'ENV', 'SUBJECT', 'NAME', 'TENANT', 'CREATED', 'EXPIRES', 'LAST USED', 'SCOPES'],
    keys.map((key) => [
      key.id,
      key.state,
      key.environment,
      key.subject,
      key.name,
      key.tenant,
      formatDay(key.createdAt),
      formatDay(key.expiresAt) ?? 'never',
      formatDay(key.lastUsedAt) ?? 'never',
      key.scopes.join(','),
    ]),
  )
}

export function notice(sentence: string): void {
  process.stderr.write(`${printable(sentence)}\n`)
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

export function formatDay(instant: Date | null): string | null {
  return instant === null ? null : instant.toISOString().slice(0, 10)
}

export function formatInstant(instant: Date | null): string | null {
  return instant === null ? null : `${instant.toISOString().slice(0, 19)}Z`
}
