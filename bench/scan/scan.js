/** How fast the command finds keys in a gigabyte, from a warm disk: `npm run bench:scan`. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'

const GIGABYTE = 1_000_000_000
const ROUNDS = 3

const command = join(import.meta.dirname, '../../dist/esm/src/cli/main.js')

const LOG_LINE =
  '203.0.113.7 - - [25/Nov/2026:10:00:00 +0000] "GET /v1/jobs?page=2 HTTP/1.1" 200 1234 "-" "curl/8.5.0" vak 0.012\n'

/** What is in the file, and how it is scanned. */
const CASES = [
  { name: 'a log', text: LOG_LINE, piped: false },
  { name: 'a log on standard input', text: LOG_LINE, piped: true },
  { name: 'one endless line', text: 'x'.repeat(1000), piped: false },
  { name: 'binary, half of it zeros', text: 'v\0a\0k\0-\0', piped: false },
  { name: 'beginnings of keys, and nothing else', text: 'vak_live_', piped: false },
]

const folder = mkdtempSync(join(tmpdir(), 'vantage-auth-bench-'))
try {
  console.log(`${cpus()[0]?.model}, Node ${process.version}, ${GIGABYTE / 1e9} GB each, best of ${ROUNDS}`)
  for (const { name, text, piped } of CASES) {
    const path = join(folder, 'input')
    write(path, text)
    const times = Array.from({ length: ROUNDS }, () => time(path, piped))
    console.log(
      `${Math.min(...times)
        .toFixed(1)
        .padStart(6)} s  ${name}`,
    )
  }
} finally {
  rmSync(folder, { recursive: true })
}

/**
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  const chunk = Buffer.alloc(16 * 1024 * 1024, text, 'latin1')
  const file = openSync(path, 'w')
  for (let rest = GIGABYTE; rest > 0; rest -= chunk.length) writeSync(file, chunk, 0, Math.min(rest, chunk.length))
  closeSync(file)
}

/**
 * @param {string} path
 * @param {boolean} piped
 */
function time(path, piped) {
  const startedAt = performance.now()
  const { status, stderr } = piped
    ? spawnSync('sh', ['-c', `cat '${path}' | '${process.execPath}' '${command}' scan -`], { encoding: 'utf8' })
    : spawnSync(process.execPath, [command, 'scan', path], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}`)
  return (performance.now() - startedAt) / 1000
}
