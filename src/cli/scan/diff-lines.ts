/** What a diff does to a line; `kept` is one around what it changes. */
export type Change = 'added' | 'kept' | 'removed'

/** Where a line of a unified diff belongs. */
export interface DiffLine {
  /** The file, as the diff names it. */
  readonly path: string
  /** Its number in the new file; in the old file for a line that the diff removes. */
  readonly line: number
  /** How many characters stand before the text of the line: one, or one for each parent of a merge. */
  readonly markers: number
  readonly change: Change
}

/** Finds out, line by line, which file of a diff a line belongs to. */
export interface DiffReader {
  /** Takes the next line: the bytes from `start` to `end`, or of a longer line the first {@link HEAD_LIMIT}. */
  begin(bytes: Buffer, start: number, end: number): void
  /** Where the line that was taken last belongs; `undefined` when it is outside of all hunks. */
  place(): DiffLine | undefined
}

/** Bytes of a line that are enough to read a header: a path of 4 096 bytes of which each is written as `\ooo`. */
export const HEAD_LIMIT = 17 * 1024

/** More parents than this are no merge. */
const MOST_PARENTS = 64

const [SPACE, PLUS, MINUS, AT, BACKSLASH, CARRIAGE_RETURN] = [0x20, 0x2b, 0x2d, 0x40, 0x5c, 0x0d]

interface Hunk {
  /** For each parent: the next line number, and how many lines are still to come. */
  readonly parents: { next: number; rest: number }[]
  readonly result: { next: number; rest: number }
}

interface FileNames {
  readonly before: string | undefined
  readonly after: string | undefined
}

/**
 * Reads unified diffs of git, diff and others, and git's combined ones of merges, also among other text. A hunk is counted
 * by its header, since a removed line `-- x` looks like the header of a file.
 */
export function createDiffReader(): DiffReader {
  let before: string | undefined
  let names: FileNames | undefined
  /** What the line before was: only behind these can a header go on. */
  let previous: 'before' | 'after' | 'hunk' | undefined
  let hunk: Hunk | undefined
  let current: DiffLine | undefined

  function readHeader(head: Buffer): void {
    const last = previous
    previous = undefined
    if (head[0] === BACKSLASH && last === 'hunk') {
      // `\ No newline at end of file`
      previous = 'hunk'
    } else if (startsWith(head, '--- ')) {
      before = head.toString('utf8', 4)
      previous = 'before'
    } else if (startsWith(head, '+++ ') && last === 'before' && before !== undefined) {
      names = readNames(before, head.toString('utf8', 4))
      previous = 'after'
    } else if (head[0] === AT && (last === 'after' || last === 'hunk')) {
      hunk = readHunkHeader(head.toString('latin1', 0, 4096))
      if (hunk !== undefined) previous = 'hunk'
    }
    if (hunk !== undefined && isOver(hunk)) hunk = undefined
  }

  /** @returns whether the line is one of the hunk */
  function readHunkLine({ parents, result }: Hunk, head: Buffer): boolean {
    // Programs that strip spaces at the ends of lines leave an unchanged empty line without its marker.
    const isEmpty = head.length === 0 || (head.length === 1 && head[0] === CARRIAGE_RETURN)
    const markers = isEmpty ? parents.map(() => SPACE) : [...head.subarray(0, parents.length)]
    if (markers.length < parents.length) return false
    if (!markers.every((marker) => marker === SPACE || marker === PLUS || marker === MINUS)) return false
    const removed = markers.includes(MINUS)
    const isIn = parents.map((_, i) => markers[i] === (removed ? MINUS : SPACE))
    const old = parents[isIn.indexOf(true)]
    const line = removed ? (old?.next ?? 0) : result.next
    for (const counter of [...parents.filter((_, i) => isIn[i]), ...(removed ? [] : [result])]) {
      counter.next++
      counter.rest--
    }
    const path = (removed ? (names?.before ?? names?.after) : (names?.after ?? names?.before)) ?? ''
    const change = removed ? 'removed' : markers.includes(PLUS) ? 'added' : 'kept'
    current = { path, line, markers: parents.length, change }
    return true
  }

  return {
    begin(bytes, start, end) {
      current = undefined
      // Most lines of most files are neither in a hunk nor begin like a header.
      if (hunk === undefined && previous === undefined && bytes[start] !== MINUS) return
      const head = bytes.subarray(start, end)
      if (hunk !== undefined) {
        if (head[0] === BACKSLASH) return
        if (readHunkLine(hunk, head)) {
          if (isOver(hunk)) hunk = undefined
          return
        }
        hunk = undefined
        previous = undefined
      }
      readHeader(head)
    },
    place: () => current,
  }
}

function isOver({ parents, result }: Hunk): boolean {
  return result.rest <= 0 && parents.every(({ rest }) => rest <= 0)
}

function startsWith(head: Buffer, text: string): boolean {
  return head.length >= text.length && head.toString('latin1', 0, text.length) === text
}

/** `@@ -1,2 +1,3 @@`, and `@@@ -1,2 -1,2 +1,3 @@@` for a merge of two parents. */
function readHunkHeader(text: string): Hunk | undefined {
  const [, ats = '', ranges = ''] = /^(@{2,65}) ((?:[-+]\d{1,10}(?:,\d{1,10})? )+)@/.exec(text) ?? []
  const parts = ranges.trim().split(' ')
  const result = parts.pop() ?? ''
  const isRight =
    parts.length === ats.length - 1 &&
    parts.length <= MOST_PARENTS &&
    parts.every((part) => part.startsWith('-')) &&
    result.startsWith('+')
  return isRight ? { parents: parts.map(readRange), result: readRange(result) } : undefined
}

function readRange(range: string): { next: number; rest: number } {
  const [next = '', rest = '1'] = range.slice(1).split(',')
  return { next: Number(next), rest: Number(rest) }
}

/** Git writes `a/` and `b/` before the names of the two sides, or other letters by its setting `diff.mnemonicPrefix`. */
function readNames(oldName: string, newName: string): FileNames {
  const [before, after] = [readName(oldName), readName(newName)]
  const letters = [before, after].map((name) => (name === undefined ? undefined : /^([abciow12])\//.exec(name)?.[1]))
  const arePrefixes =
    (before === undefined || letters[0] !== undefined) &&
    (after === undefined || letters[1] !== undefined) &&
    letters[0] !== letters[1]
  return arePrefixes ? { before: before?.slice(2), after: after?.slice(2) } : { before, after }
}

/** Without the time that `diff -u` writes behind a tab, and without git's quotes; `undefined` where there is no file. */
function readName(text: string): string | undefined {
  const line = text.replace(/\r$/, '')
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
  const name = quoted === undefined ? line.replace(/\t.*$/s, '') : unquote(quoted)
  return name === '/dev/null' ? undefined : name
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
}

/** Git writes bytes of a name as in C: `\303\251`. */
function unquote(quoted: string): string {
  const bytes = Buffer.from(quoted, 'utf8').toString('latin1')
  const name = bytes.replace(/\\([0-7]{1,3}|.)/gs, (_: string, code: string) =>
    /[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8) & 0xff) : (ESCAPES[code] ?? code),
  )
  return Buffer.from(name, 'latin1').toString('utf8')
}
