import { createInterface } from 'node:readline/promises'
import { toJson } from './json.js'
import { print, printError, printPart } from './output.js'

/** What a reader of standard output, or of standard error, has for us. */
type Stream = NodeJS.WriteStream

const FALLBACK_COLUMNS = 80

/** Notices and errors of this run. */
const run = {
  /** Under `--json` an error must stand alone on standard error. Notices wait until the command has succeeded. */
  json: false,
  withheld: [] as string[],
  /** Takes the line of progress away, when there is one. */
  clearProgress: undefined as (() => void) | undefined,
}

/** From here on notices, and warnings of Node, wait for {@link releaseNotices}. */
export function withholdNotices(): void {
  run.json = true
  process.removeAllListeners('warning')
  process.on('warning', ({ name, message }) => notice(`${name}: ${message}`))
}

/** Prints the notices of a command that has succeeded. */
export function releaseNotices(): void {
  for (const sentence of run.withheld.splice(0)) writeNotice(sentence)
}

export function notice(sentence: string): void {
  if (run.json) run.withheld.push(sentence)
  else writeNotice(sentence)
}

function writeNotice(sentence: string): void {
  run.clearProgress?.()
  printError(`${printable(sentence)}\n`)
}

export function printJson(value: unknown): void {
  run.clearProgress?.()
  print(`${toJson(value, 2)}\n`)
}

/** As {@link printPart}, while progress is shown. */
export async function printOverProgress(text: string): Promise<void> {
  run.clearProgress?.()
  await printPart(text)
}

/**
 * Makes a text from a store safe for a terminal. Control, format and unassigned characters, which could move the cursor,
 * switch colours, set a title or reorder the line, are shown as their codes.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/u

/** How many columns a text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += widthOfCharacter(character)
  return width
}

/** The beginning of a text that takes no more than so many columns. */
export function startOf(text: string, columns: number): string {
  let start = ''
  let width = 0
  for (const character of text) {
    width += widthOfCharacter(character)
    if (width > columns) break
    start += character
  }
  return start
}

function widthOfCharacter(character: string): number {
  return WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1
}

/** Columns of the terminal that reads standard output; `undefined` when it is a pipe or a file. */
export function outputColumns(stream: Stream = process.stdout): number | undefined {
  // A pseudo-terminal of which nobody has set the size has zero columns.
  return stream.isTTY ? stream.columns || FALLBACK_COLUMNS : undefined
}

/** Columns for prose: those of the terminal, but lines that are pleasant to read, and 80 in a pipe. */
export function proseColumns(stream: Stream = process.stdout): number {
  return Math.min(outputColumns(stream) ?? FALLBACK_COLUMNS, 100)
}

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const

export type Style = keyof typeof STYLES

/** Colours a text if whoever reads the stream sees colours. */
export function paint(style: Style | undefined, text: string, stream: Stream = process.stdout): string {
  if (style === undefined || text === '' || !hasColours(stream)) return text
  const [on, off] = STYLES[style]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

/** FORCE_COLOR wins over NO_COLOR, as in Node. */
function hasColours(stream: Stream): boolean {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: terminal } = process.env
  if (force !== undefined) return force !== '0' && force !== 'false'
  return !no && stream.isTTY === true && terminal !== 'dumb'
}

/** Whether there is somebody to ask: people sit at both ends, and no program reads the answer. */
export function canAsk(): boolean {
  return !run.json && process.stdin.isTTY === true && process.stderr.isTTY === true
}

/** Asks on the terminal. Only `y` and `yes` are a yes; the end of the input and Ctrl-C are a no. */
export async function confirm(question: string): Promise<boolean> {
  run.clearProgress?.()
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
    lines.once('SIGINT', () => lines.close())
    const answer = await Promise.race([lines.question(`${printable(question)} [y/N] `), ended])
    return /^\s*y(?:es)?\s*$/i.test(answer)
  } finally {
    lines.close()
  }
}

const PROGRESS_AFTER_MS = 1000
const PROGRESS_EVERY_MS = 200

/**
 * Runs what may take longer than a second, and shows how far it is, on standard error, when that is a terminal. The line is
 * taken away at the end.
 *
 * @param describe says how far it is: `1200 keys`
 */
export async function withProgress<T>(describe: () => string, work: () => Promise<T>): Promise<T> {
  const columns = outputColumns(process.stderr)
  if (run.json || columns === undefined) return work()
  const startedAt = Date.now()
  const clear = () => printError('\r\u001b[K')
  const timer = setInterval(() => {
    if (Date.now() - startedAt < PROGRESS_AFTER_MS) return
    run.clearProgress = clear
    printError(`\r\u001b[K${startOf(printable(describe()), columns - 1)}`)
  }, PROGRESS_EVERY_MS).unref()
  try {
    return await work()
  } finally {
    clearInterval(timer)
    run.clearProgress?.()
    run.clearProgress = undefined
  }
}

export function formatDay(instant: Date | null): string | null {
  return instant === null ? null : instant.toISOString().slice(0, 10)
}

export function formatMinute(instant: Date | null): string | null {
  return instant === null ? null : `${instant.toISOString().slice(0, 16)}Z`
}

export function formatInstant(instant: Date | null): string | null {
  return instant === null ? null : `${instant.toISOString().slice(0, 19)}Z`
}
