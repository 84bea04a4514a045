import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import * as presets from '../../src/presets.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { DOCS, PAGES, type Preset, readPage } from './page.js'

const NAMES = Object.keys(presets) as Preset[]

test('every preset has a page, and every page a preset', () => {
  expect(Object.keys(PAGES).sort()).toEqual([...NAMES].sort())
  expect(readdirSync(DOCS).sort()).toEqual(['README.md', ...Object.values(PAGES)].sort())
})

test.each(NAMES)('the page of %s writes out what the preset returns', (preset) => {
  const { entry, writtenOut } = readPage(preset)
  expect(Object.keys(entry).length).toBeGreaterThan(4)
  expect(writtenOut).toStrictEqual(entry)
  // In the same order, so that the two can be read side by side.
  expect(Object.keys(writtenOut as object)).toEqual(Object.keys(entry))
})

test.each(NAMES)('%s is named in describe()', async (preset) => {
  const verifier = createVerifier({ issuer: [readPage(preset).entry], keys: false })
  expect(verifier.describe().issuers.map(({ preset }) => preset)).toEqual([preset])
  await verifier.close()
})

test.each([
  ['docs/providers/README.md', (page: string) => page],
  ['README.md', (page: string) => `docs/providers/${page}`],
])('the table of %s leads to the page of each preset', (document, target) => {
  const text = readFileSync(resolve(import.meta.dirname, '../..', document), 'utf8')
  for (const preset of NAMES) expect(text).toContain(`| [\`${preset}\`](${target(PAGES[preset])}) |`)
})

test('every page says what the provider can tell when a session, an account or a workload ends', () => {
  for (const page of Object.values(PAGES)) {
    expect(readFileSync(join(DOCS, page), 'utf8')).toMatch(/^## When an? [\w ]+$/m)
  }
})
