import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { generateApiKey } from '../../../src/api-key/format.js'
import { ENVIRONMENTS } from '../../../src/core/environments.js'

// What docs/secret-scanning.md gives to other scanners.

const PAGE = readFileSync(new URL('../../../docs/secret-scanning.md', import.meta.url), 'utf8')
const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
const TEST_VECTOR = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'

const [, gitleaks = ''] = /^regex = '''(.*)'''$/m.exec(PAGE) ?? []
const [, allowed = ''] = /^regexes = \['''(.*)'''\]$/m.exec(PAGE) ?? []
const github = (field: string) =>
  (new RegExp(`^\\| ${field} \\| \`(.*)\` \\|$`, 'm').exec(PAGE)?.[1] ?? '').replaceAll('\\|', '|')
const PATTERNS: [string, RegExp][] = [
  ['gitleaks', new RegExp(gitleaks)],
  // \A and \z, which JavaScript lacks, are ^ and $ there.
  [
    'GitHub',
    new RegExp(
      `(?:${github('Before secret').replace('\\A', '^')})${github('Secret format')}(?:${github('After secret').replace('\\z', '$')})`,
    ),
  ],
  ['the README', new RegExp(/`(vak_\(\?:[^`]*)`/.exec(README)?.[1] ?? '(?!)')],
]

describe.each(PATTERNS)('the pattern for %s', (_, pattern) => {
  test.each(ENVIRONMENTS)('finds keys of the environment %s, with and without a boundary', (environment) => {
    const { key } = generateApiKey(environment)
    for (const text of [key, `Bearer%20${key}`, `API_KEY_${key}`, `${key}abc`, `a\n${key}\nb`, `"${key}"`]) {
      expect(text).toMatch(pattern)
    }
    for (const text of [key.slice(0, -1), key.replace(environment, 'prod'), key.replace('_', '-')]) {
      expect(text).not.toMatch(pattern)
    }
  })
})

test('the rule for gitleaks allows the test vector alone', () => {
  expect(TEST_VECTOR).toMatch(new RegExp(allowed))
  expect(generateApiKey('live').key).not.toMatch(new RegExp(allowed))
})
