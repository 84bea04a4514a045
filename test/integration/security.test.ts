import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** A file of tests, together with the suite of the tests that run over every store. */
function read(file: string): string {
  const contract = join(root, 'src/testing/store-contract')
  const suite = file === 'test/store/stores.test.ts' ? readdirSync(contract).map((name) => join(contract, name)) : []
  return [join(root, file), ...suite].map((path) => readFileSync(path, 'utf8')).join('\n')
}

const rows = readFileSync(join(root, 'SECURITY.md'), 'utf8').matchAll(/^\| (.+?) \| (.*`test\/.*) \|$/gm)
/** Each promise with what holds it: files, and the titles of tests in each. */
const promises = [...rows].map(([, promise, tests]) => [promise, tests] as [string, string])

test('SECURITY.md makes promises', () => {
  expect(promises.length).toBeGreaterThan(15)
})

test.each(promises)('%s There are the tests that SECURITY.md names for it.', (_, tests) => {
  for (const [, file, titles] of tests.matchAll(/`(test\/[^`]+)`([^`]*)/g)) {
    const text = read(file as string)
    const parts = (titles as string).split(/[>;…]/).map((part) => part.trim())
    expect(
      parts.filter((part) => !text.includes(part)),
      file,
    ).toEqual([])
  }
})
