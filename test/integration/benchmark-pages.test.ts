import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8')
/** Imported by an address that the compiler does not follow: bench/ has a tsconfig of its own. */
const report = (name: string) => import(join(ROOT, 'bench/report', name))

test('tables and plots of docs/performance.md are those of the stored results', async () => {
  const { renderPerformancePage } = await report('performance-page.js')
  const files: Record<string, string> = renderPerformancePage()
  expect(Object.keys(files)).toContain('performance.md')
  for (const [name, text] of Object.entries(files)) expect(page(name)).toBe(text)
})

test('tables of docs/fleet.md are those of the stored results', async () => {
  const { renderFleetPage } = await report('fleet-page.js')
  expect(page('fleet.md')).toBe(renderFleetPage())
})

test('a table that the page has no place for is an error, and not left out', async () => {
  const { fillIn } = await report('generated-parts.js')
  const markers = '<!-- begin results: keys -->\nold\n<!-- end results -->'
  expect(fillIn(markers, { keys: 'new' })).toBe('<!-- begin results: keys -->\n\nnew\n\n<!-- end results -->')
  expect(() => fillIn(markers, { keys: 'new', usage: 'x' })).toThrow('usage')
})
