import { expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { parsePresentedKey } from '../../src/api-key/presented-key.js'
import type { CheckReport } from '../../src/token/check-report.js'

const { id, key } = generateApiKey('live')
const mistyped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')

test.each([
  ['malformed', 'vak_live_short', 'live', undefined, ['format']],
  ['malformed', 'vak_stage_short', 'live', undefined, ['format']],
  ['checksum', mistyped, 'live', undefined, ['format', 'checksum']],
  ['environment', key, 'test', id, ['format', 'checksum', 'environment']],
] as const)('refuses a key as %s, and tells of each check up to that one', (reason, text, environment, known, made) => {
  const reports: CheckReport[] = []
  const report = (check: CheckReport) => reports.push(check)
  expect(parsePresentedKey(text, environment, report)).toEqual({ reason, id: known })
  expect(reports.map(({ name }) => name)).toEqual(made)
  expect(reports.map(({ passed }) => passed)).toEqual([...made.slice(1).map(() => true), false])
  expect(reports.at(-1)?.reason).toBe(reason)
  expect(JSON.stringify(reports)).not.toContain(text.slice(-20))
})

test('tells in words that read as good of a key that passes', () => {
  const reports: CheckReport[] = []
  expect(parsePresentedKey(key, 'live', (check) => reports.push(check))).toEqual({ environment: 'live', id })
  expect(reports.map(({ found }) => found)).toEqual(['prefix, then 61 letters and digits', 'they fit', 'live'])
})
