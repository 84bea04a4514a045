import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

const PAGE = 'dist/page'
/** Bytes of the page in gzip: everything, and what the first view loads. */
const LIMIT = 153_600
const FIRST_VIEW_LIMIT = 70 * 1024

const files = readdirSync(PAGE, { recursive: true, encoding: 'utf8' }).filter((file) =>
  statSync(join(PAGE, file)).isFile(),
)
const plain = files.filter((file) => !/\.(?:br|gz)$/.test(file))
const html = readFileSync(join(PAGE, 'index.html'), 'utf8')

test('stays within its budgets', () => {
  const gzipped = (names: readonly string[]): number =>
    names.reduce((sum, name) => sum + statSync(join(PAGE, `${name}.gz`)).size, 0)
  expect(gzipped(plain)).toBeLessThan(LIMIT)
  const first = plain.filter((file) => file === 'index.html' || html.includes(file))
  expect(first.some((file) => file.endsWith('.js'))).toBe(true)
  expect(gzipped(first)).toBeLessThan(FIRST_VIEW_LIMIT)
})

test('lies beside itself in brotli and in gzip', () => {
  expect(files).toHaveLength(3 * plain.length)
  for (const file of plain) {
    const bytes = readFileSync(join(PAGE, file))
    expect(brotliDecompressSync(readFileSync(join(PAGE, `${file}.br`))).equals(bytes)).toBe(true)
    expect(gunzipSync(readFileSync(join(PAGE, `${file}.gz`))).equals(bytes)).toBe(true)
  }
})

test('has a name by its content for all but the document', () => {
  for (const file of plain) expect(file).toMatch(/^(?:index\.html|assets\/[\w-]+-[\w-]{8}\.(?:js|css|svg))$/)
})

test('loads nothing by an absolute address, and nothing that stands in the document', () => {
  const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address)
  expect(addresses.length).toBeGreaterThan(2)
  for (const address of addresses) expect(address).toMatch(/^\.\/assets\//)
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)/)
  for (const file of plain.filter((name) => name.endsWith('.css'))) {
    expect(readFileSync(join(PAGE, file), 'utf8')).not.toMatch(/url\(|@import/)
  }
})
