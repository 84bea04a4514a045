import { print } from './output.js'
import { outputColumns, paint, printable, type Style, startOf, widthOf } from './terminal.js'

/** A column of a table. One that is given by its title alone is never cut. */
export interface Column {
  readonly title: string
  /** Whether its cells may be cut where a terminal is narrow. Not for ids: people copy them. */
  readonly cut?: boolean
  readonly style?: (cell: string) => Style | undefined
}

type Row = readonly (string | null)[]

const GAP = '  '
/** What a cell that may be cut gets at least. */
const LEAST_CUT = 12
/** How far the further lines of a row stand behind its first. */
const INDENT = '  '

/** Prints a table, as wide as the terminal. In a pipe nothing is cut. */
export function printTable(columns: readonly (string | Column)[], rows: readonly Row[]): void {
  print(formatTable(columns, rows, outputColumns()))
}

/**
 * Rows under a heading, in aligned columns. All columns are always there, so that a program finds each at its place.
 *
 * A further page of a table has no heading, and columns of its own widths.
 *
 * Where a row does not fit into the width, cells that may be cut become shorter. Where that does not suffice, each row takes
 * several lines. Lines at its end in which all is absent are left out.
 */
export function formatTable(
  columns: readonly (string | Column)[],
  rows: readonly Row[],
  width: number = Number.POSITIVE_INFINITY,
  hasHeading = true,
): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? '-' : printable(cell))))
  const measured = columns.map((column, i) =>
    measure(typeof column === 'string' ? { title: column } : column, cells, i),
  )
  const lines = distribute(measured, width)
  const heading = measured.map(({ title }) => title)
  return [
    ...(hasHeading ? lines.map((line) => formatLine(line, heading, () => 'bold')) : []),
    ...cells.flatMap((row, i) =>
      lines
        .slice(0, countFilled(lines, rows[i] ?? []))
        .map((line) => formatLine(line, row, ({ style }, cell) => style?.(cell))),
    ),
  ].join('')
}

/** How many lines a row takes: at least one. A line between others stays, so that each is found below its title. */
function countFilled(lines: readonly TableLine[], row: Row): number {
  const isFilled = ({ columns }: TableLine) => columns.some(({ column }) => (row[column.index] ?? null) !== null)
  return Math.max(1, lines.findLastIndex(isFilled) + 1)
}

interface MeasuredColumn extends Column {
  readonly index: number
  /** The widest cell. */
  readonly natural: number
  readonly least: number
}

function measure(column: Column, cells: readonly (readonly string[])[], index: number): MeasuredColumn {
  const title = widthOf(column.title)
  // Not Math.max(...widths): there may be more rows than a call takes arguments.
  const natural = cells.reduce((widest, row) => Math.max(widest, widthOf(row[index] ?? '')), title)
  return { ...column, index, natural, least: column.cut ? Math.min(natural, Math.max(title, LEAST_CUT)) : natural }
}

interface TableLine {
  readonly indent: string
  readonly columns: readonly { readonly column: MeasuredColumn; readonly width: number }[]
}

/** Divides the columns among lines, and the width of each line among its columns. */
function distribute(columns: readonly MeasuredColumn[], width: number): TableLine[] {
  const lines: MeasuredColumn[][] = []
  let free = 0
  for (const column of columns) {
    const line = lines.at(-1)
    if (line === undefined || free < GAP.length + column.least) {
      lines.push([column])
      free = width - column.least - (line === undefined ? 0 : INDENT.length)
    } else {
      line.push(column)
      free -= GAP.length + column.least
    }
  }
  return lines.map((line, i) => {
    const indent = i === 0 ? '' : INDENT
    return { indent, columns: widen(line, width - indent.length - GAP.length * (line.length - 1)) }
  })
}

/** Gives what is left of a line to the columns that would be cut, each as much as the others. */
function widen(line: readonly MeasuredColumn[], width: number): TableLine['columns'] {
  const given = line.map((column) => ({ column, width: column.least }))
  let left = width - line.reduce((sum, { least }) => sum + least, 0)
  for (;;) {
    const wanting = given.filter((one) => one.width < one.column.natural)
    if (wanting.length === 0 || left < wanting.length) return given
    const share = Math.min(Math.floor(left / wanting.length), ...wanting.map((one) => one.column.natural - one.width))
    for (const one of wanting) one.width += share
    left -= share * wanting.length
  }
}

function formatLine(
  { indent, columns }: TableLine,
  row: readonly string[],
  styleOf: (column: Column, cell: string) => Style | undefined,
): string {
  const last = columns.length - 1
  const texts = columns.map(({ column, width }, i) => {
    const cell = row[column.index] ?? ''
    const shown = widthOf(cell) <= width ? cell : `${startOf(cell, width - 1)}…`
    const padding = i === last ? '' : ' '.repeat(width - widthOf(shown))
    return paint(styleOf(column, cell), shown) + padding
  })
  return `${`${indent}${texts.join(GAP)}`.trimEnd()}\n`
}

/** Prints names and values, one pair a line, in two columns. On a terminal a long value goes on in the next line. */
export function printFields(fields: readonly (readonly [string, string | null])[]): void {
  print(formatFields(fields, outputColumns()))
}

export function formatFields(
  fields: readonly (readonly [string, string | null])[],
  width: number = Number.POSITIVE_INFINITY,
): string {
  const start = Math.max(...fields.map(([name]) => name.length)) + GAP.length
  return fields
    .map(([name, value]) => {
      const lines = split(value === null ? '-' : printable(value), Math.max(width - start, 20))
      return `${name.padEnd(start)}${lines.join(`\n${' '.repeat(start)}`)}\n`
    })
    .join('')
}

function split(text: string, width: number): string[] {
  const lines = []
  let rest = text
  while (widthOf(rest) > width) {
    const line = startOf(rest, width)
    lines.push(line)
    rest = rest.slice(line.length)
  }
  return [...lines, rest]
}
