import { hash } from 'node:crypto'
import { KEY_BODY_LENGTH, KEY_PREFIXES, type ParsedApiKey, parseApiKey } from '../../api-key/format.js'
import { type Change, createDiffReader, type DiffReader, HEAD_LIMIT } from './diff-lines.js'

/** A key in an input. */
export interface FoundKey extends ParsedApiKey {
  /** The file that a diff names; `undefined` outside of a diff. */
  readonly path: string | undefined
  /** From 1: one more than the line feeds before it. */
  readonly line: number
  /** From 1, in bytes: one more than the bytes before it in the line; in a diff without the markers `+`, `-` and space. */
  readonly column: number
  /** What a diff does to the line; `undefined` outside of a diff. */
  readonly change: Change | undefined
  /** The secret itself. */
  readonly key: string
}

/** Finds keys in one input, piece by piece. */
export interface KeyFinder {
  /** Where the next bytes of the input are to be written. It is never empty. */
  space(): Buffer
  /** Finds the keys in what was read so far. A key at its end, which may go on, is found with the next bytes. */
  read(bytesWritten: number): readonly FoundKey[]
  /** Finds the keys in the rest. */
  end(): readonly FoundKey[]
}

const LINE_FEED = 0x0a
const START = Buffer.from('vak_')
/** The same in UTF-16, from the first byte that is not zero, in either order of bytes. */
const WIDE_START = Buffer.from('v\0a\0k\0_')
const PREFIX_LENGTHS = KEY_PREFIXES.map(({ length }) => length)
const LONGEST_PREFIX = Math.max(...PREFIX_LENGTHS)
const SHORTEST_KEY = Math.min(...PREFIX_LENGTHS) + KEY_BODY_LENGTH
const LONGEST_KEY = LONGEST_PREFIX + KEY_BODY_LENGTH

/** SHA-256 of the key that documents and tests show. Its text is not here, where other scanners would find it. */
const TEST_VECTOR = '2770faefe2fae2272068d40851b4370a584864ebb56938a1c15ec0e6e5cc41a1'

/** Bytes that are read at a time. More is kept: a key or a line that is not complete. */
export const WINDOW_SIZE = 1024 * 1024

/**
 * Finds keys by their prefix and checksum, wherever they stand: no boundary is needed before or behind them, as in
 * `Bearer%20vak_live_…`. Each place in the input is looked at, so that the beginning of a key hides no other key.
 *
 * @param buffer of {@link WINDOW_SIZE} bytes, which can be used again for another input
 * @param readDiff whether lines of a unified diff are told by the diff's own files
 */
export function createKeyFinder(buffer: Buffer, { readDiff }: { readonly readDiff: boolean }): KeyFinder {
  // All positions are counted from the start of the buffer, and move with what it holds.
  let length = 0
  /** Keys that begin before these were found: in single bytes, and in UTF-16. */
  let [searched, wideSearched] = [0, 0]
  let line = 1
  let lineStart = 0
  const diff: DiffReader | undefined = readDiff ? createDiffReader() : undefined
  /** Whether the diff was not told of this line yet. */
  let isNew = diff !== undefined

  function find(isEnd: boolean): readonly FoundKey[] {
    const window = buffer.subarray(0, length)
    const limit = isEnd ? length : lastCompleteLine(window)
    const found: { readonly at: number; readonly key: string; readonly parsed: ParsedApiKey }[] = []

    function search(start: Buffer, step: 1 | 2, from: number): number {
      // What begins behind this can go on behind the window.
      const open = isEnd ? length : Math.max(from, Math.min(limit, length - LONGEST_KEY * step))
      let at = window.indexOf(start, from)
      while (at !== -1 && at < open) {
        const key = keyAt(window, at, step)
        if (key !== undefined) found.push({ at, ...key })
        at = window.indexOf(start, at + start.length)
      }
      return open
    }

    searched = search(START, 1, searched)
    // Text has no zeros, and most files are text.
    wideSearched = window.includes(0)
      ? search(WIDE_START, 2, wideSearched)
      : Math.max(wideSearched, Math.min(limit, length - LONGEST_KEY * 2))
    found.sort((a, b) => a.at - b.at)

    let lineEnd = window.indexOf(LINE_FEED, Math.max(0, lineStart))
    function advance(target: number): void {
      for (; lineEnd !== -1 && lineEnd < target; lineEnd = window.indexOf(LINE_FEED, lineStart)) {
        if (isNew) tellDiff(window, lineEnd)
        line++
        lineStart = lineEnd + 1
        isNew = diff !== undefined
      }
    }
    const keys = found.map(({ at, key, parsed }) => {
      advance(at)
      if (isNew) tellDiff(window, lineEnd)
      const place = diff?.place()
      return {
        ...parsed,
        path: place?.path,
        line: place?.line ?? line,
        column: at - lineStart - (place?.markers ?? 0) + 1,
        change: place?.change,
        key,
      }
    })
    advance(limit)
    // Of a long line the beginning is enough.
    if (isNew && limit === length && lineStart < length) tellDiff(window, lineEnd)
    forget(Math.min(limit, searched, wideSearched))
    return keys
  }

  /** Where the last line begins, if a diff has to know more of it; else the end. */
  function lastCompleteLine(window: Buffer): number {
    if (diff === undefined) return length
    const unfinished = Math.max(lineStart, window.lastIndexOf(LINE_FEED) + 1)
    return length - unfinished >= HEAD_LIMIT ? length : unfinished
  }

  function tellDiff(window: Buffer, lineEnd: number): void {
    const end = Math.min(lineStart + HEAD_LIMIT, lineEnd === -1 ? length : lineEnd)
    diff?.begin(window, lineStart, end)
    isNew = false
  }

  function forget(bytes: number): void {
    buffer.copyWithin(0, bytes, length)
    length -= bytes
    searched -= bytes
    wideSearched -= bytes
    lineStart -= bytes
  }

  return {
    space: () => buffer.subarray(length),
    read(bytesWritten) {
      length += bytesWritten
      return find(false)
    },
    end: () => find(true),
  }
}

/** The key that begins here, if its checksum is right. */
function keyAt(
  window: Buffer,
  at: number,
  step: 1 | 2,
): { readonly key: string; readonly parsed: ParsedApiKey } | undefined {
  if (!mayBeBody(window, at, step)) return undefined
  const text = textAt(window, at, step)
  const prefix = KEY_PREFIXES.find((candidate) => text.startsWith(candidate))
  if (prefix === undefined) return undefined
  const key = text.slice(0, prefix.length + KEY_BODY_LENGTH)
  const parsed = parseApiKey(key)
  return typeof parsed === 'string' || hash('sha256', key, 'hex') === TEST_VECTOR ? undefined : { key, parsed }
}

const IS_BASE62: readonly boolean[] = Array.from({ length: 256 }, (_, byte) =>
  /[0-9A-Za-z]/.test(String.fromCharCode(byte)),
)

/**
 * Whether the characters behind the prefix are those of a key. From the end: text that is full of prefixes, and made to take
 * long, has an underscore there.
 */
function mayBeBody(window: Buffer, at: number, step: 1 | 2): boolean {
  for (let i = SHORTEST_KEY - 1; i >= LONGEST_PREFIX; i--) {
    if (IS_BASE62[window[at + i * step] ?? 0] !== true) return false
  }
  return true
}

/** As many characters as the longest key has. Bytes are characters, since a key is ASCII. */
function textAt(window: Buffer, at: number, step: 1 | 2): string {
  const text = window.toString('latin1', at, at + LONGEST_KEY * step)
  if (step === 1) return text
  let characters = ''
  for (let i = 0; i < text.length; i += 2) {
    characters += text[i]
    if (text[i + 1] !== '\0') break
  }
  return characters
}
