// Adds up vitest's JSON reports: node count.mjs FOLDER BROKEN_STEPS
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, brokenSteps] = process.argv.slice(2)
const sum = { passed: 0, failed: 0, skipped: 0 }
for (const name of readdirSync(folder)) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  for (const file of report.testResults) {
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') sum.passed++
      else if (status === 'failed') sum.failed++
      else {
        sum.skipped++
        console.log(`skipped in ${name}: ${fullName}`)
      }
    }
    // A file that cannot be loaded has failed without a single test.
    const counted = file.assertionResults.some(({ status }) => status === 'failed')
    if (file.status === 'failed' && !counted) sum.failed++
  }
}
// A step can break without a failed test: the types, the build, an error outside of every test.
if (sum.failed === 0) sum.failed = Number(brokenSteps)
if (sum.passed === 0 && sum.failed === 0) sum.failed = 1
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed === 0 ? 0 : 1
