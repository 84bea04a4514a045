import { describeCause, LONGEST_REPORT } from '../src/core/cause.js'
import { writeLine } from '../src/core/outage-notices.js'

/** One mistake is told once within this time, however many requests run into it. */
const INTERVAL_MS = 60_000

/** Tells whoever runs the service, on standard error, why the console answers 500, or 403 to what may be its own page. */
export type MistakeNotice = (kind: Mistake, cause: unknown) => void

const MISTAKES = {
  authorize: 'the authorize of the console',
  console: 'the console failed:',
  origin: 'the console refused a change:',
} as const

type Mistake = keyof typeof MISTAKES

/** No timer runs: a line says how many there were since the line before. */
export function createMistakeNotice(write: (line: string) => void = writeLine): MistakeNotice {
  const told = new Map<Mistake, { at: number; since: number }>()
  return (kind, cause) => {
    const now = performance.now()
    const last = told.get(kind)
    if (last !== undefined && now - last.at < INTERVAL_MS) {
      last.since++
      return
    }
    told.set(kind, { at: now, since: 0 })
    const repeated =
      last === undefined || last.since === 0 ? '' : ` (and ${last.since} times before, since the last line)`
    write(`${MISTAKES[kind]} ${describeCause(cause, LONGEST_REPORT)}${repeated}`)
  }
}
