import { KEY_PREFIXES } from '../../api-key/format.js'
import { toJson } from '../json.js'
import { printLines } from '../pages.js'
import { notice, printable, printOverProgress } from '../terminal.js'
import type { Change } from './diff-lines.js'
import type { FoundKey } from './key-finder.js'
import type { Outcome } from './revoke-found.js'

/** A key in a file, as it is told. */
export interface Leak extends Pick<FoundKey, 'line' | 'column' | 'id' | 'environment'> {
  readonly path: string
  /** In a diff: what it does to the line. */
  readonly change?: Change
  /** What became of the key under `--revoke`. */
  readonly outcome?: Outcome
}

export interface Unreadable {
  readonly path: string
  /** What is wrong with the path, so that a sentence goes on with it. */
  readonly fault: string
}

export interface Totals {
  readonly files: number
  readonly bytes: number
}

/** Tells of findings while the scan goes on: there can be more of them than memory. */
export interface Report {
  found(finding: Leak): Promise<void>
  unreadable(unreadable: Unreadable): void
  end(totals: Totals): Promise<void>
}

/** Of what cannot be read so many are listed in a JSON document, which tells how many more there are. */
const MOST_UNREADABLE = 1000

export function createReport(format: 'text' | 'json' | 'jsonl'): Report {
  if (format === 'text') return createTextReport()
  return format === 'json' ? createJsonReport() : createLinesReport()
}

function createTextReport(): Report {
  let found = 0
  let removed = 0
  const become = { ended: 0, forged: 0 }
  return {
    async found(finding) {
      found++
      if (finding.outcome === 'revoked' || finding.outcome === 'already') become.ended++
      if (finding.outcome === 'forged') become.forged++
      if (finding.change === 'removed') removed++
      await printOverProgress(`${printable(finding.path)}:${finding.line}:${finding.column} ${finding.id}\n`)
    },
    unreadable: ({ path, fault }) => notice(`Not scanned: ${path} ${fault}`),
    async end({ files, bytes }) {
      const scanned = `${count(files, 'file')}, ${formatBytes(bytes)}`
      if (found === 0) return notice(`No keys in ${scanned}.`)
      notice(`${count(found, 'place')} with a key, in ${scanned}.${adviceOn(found, become)}`)
      if (removed > 0) notice(`${removed} of them in lines that a diff removes: --added leaves these out.`)
    },
  }
}

/** What has ended needs no advice, nor does what is no key at all. */
function adviceOn(found: number, { ended, forged }: { readonly ended: number; readonly forged: number }): string {
  const told = ended === 0 ? '' : ended === found ? ' All of them have ended.' : ` ${ended} of them have ended.`
  if (found === ended + forged) return told
  return ended + forged > 0
    ? `${told} Whoever could read the others can use those that are keys: end them in their own store, with keys revoke.`
    : ' Whoever could read them can use the key: end it with keys revoke, or with --revoke --yes here.'
}

const START = '{\n  "findings": ['

/** One document, written piece by piece. */
function createJsonReport(): Report {
  const unreadable: Unreadable[] = []
  let omitted = 0
  let found = 0
  return {
    async found(finding) {
      await printOverProgress(`${found === 0 ? START : ','}\n    ${toJson(finding)}`)
      found++
    },
    unreadable(one) {
      if (unreadable.length < MOST_UNREADABLE) unreadable.push(one)
      else omitted++
    },
    async end({ files, bytes }) {
      const rest = { unreadable, unreadableOmitted: omitted, files, bytes }
      const members = Object.entries(rest).map(([name, value]) => `  "${name}": ${toJson(value)}`)
      await printOverProgress(`${found === 0 ? START : '\n  '}],\n${members.join(',\n')}\n}\n`)
    },
  }
}

function createLinesReport(): Report {
  return { found: (finding) => printLines([finding]), unreadable() {}, async end() {} }
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

export function formatBytes(bytes: number): string {
  const [megabytes, kilobytes] = [bytes / 1_000_000, bytes / 1000]
  if (megabytes >= 1) return `${megabytes.toFixed(megabytes < 10 ? 1 : 0)} MB`
  return kilobytes >= 1 ? `${kilobytes.toFixed(0)} kB` : `${bytes} B`
}

// The hint of a key is public; a name of a file can hold all of it.
const KEY_IN_PATH = new RegExp(`((?:${KEY_PREFIXES.join('|')})[0-9A-Za-z]{12})[0-9A-Za-z]+`, 'g')

/** A path as it may be shown: a key in it is cut to its hint. */
export function showPath(path: Buffer | string): string {
  return path.toString('utf8').replace(KEY_IN_PATH, '$1…')
}
