/**
 * `npm run bench:console`: what the console may take with 10 000 keys. It needs chromium (on the path, or by `CHROMIUM`) and
 * PostgreSQL, and fails when something takes more than twice as long as it may.
 */
import { measureConsole } from './measure-console.js'

const KEYS = 10_000

let tolerable = true
for (const { name, atMostMs, ms } of await measureConsole(KEYS)) {
  const verdict = ms <= atMostMs ? 'reached' : ms <= 2 * atMostMs ? 'missed' : 'FAILED'
  tolerable &&= verdict !== 'FAILED'
  console.log(`${verdict.padEnd(7)}  ${ms.toFixed(1).padStart(7)} ms  <= ${String(atMostMs).padStart(4)} ms  ${name}`)
}
process.exit(tolerable ? 0 : 1)
