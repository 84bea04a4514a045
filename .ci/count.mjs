// Adds up vitest's JSON reports and names what failed and what was skipped: node count.mjs FOLDER BROKEN_STEPS
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const [folder, brokenSteps] = process.argv.slice(2)
const sum = { passed: 0, failed: 0, skipped: 0 }
/** The reports in which a test was skipped, by its name. */
const skips = new Map()
const failures = []
for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  for (const file of report.testResults) {
    const path = relative(process.cwd(), file.name)
    for (const { status, fullName, failureMessages } of file.assertionResults) {
      if (status === 'passed') sum.passed++
      else if (status === 'failed') {
        sum.failed++
        failures.push(`failed in ${name}: ${path}: ${fullName}\n${shorten(failureMessages?.[0])}`)
      } else {
        sum.skipped++
        skips.set(fullName, [...(skips.get(fullName) ?? []), name])
      }
    }
    // A file that cannot be loaded has failed without a single test.
    const counted = file.assertionResults.some(({ status }) => status === 'failed')
    if (file.status === 'failed' && !counted) {
      sum.failed++
      failures.push(`failed in ${name}: ${path}, outside of its tests\n${shorten(file.message)}`)
    }
  }
}
// A step can break without a failed test: the types, the build, an error outside of every test.
if (sum.failed === 0) sum.failed = Number(brokenSteps)
if (sum.passed === 0 && sum.failed === 0) sum.failed = 1
for (const [test, reports] of skips) console.log(`skipped in ${reports.join(', ')}: ${test}`)
for (const failure of failures) console.log(failure)
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed === 0 ? 0 : 1

/** The beginning of a failure's message, indented: the whole of it stands in the output of its step. */
function shorten(message = '') {
  return stripVTControlCharacters(message)
    .split('\n')
    .slice(0, 12)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n')
}
