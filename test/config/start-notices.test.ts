import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { issuerOf, messageOf, resolve } from '../support/options.js'

const SRC = new URL('../../src/', import.meta.url).href

/** Runs a program that has `createVerifier`, and gives what it wrote to standard error. */
function stderrOf(program: string, env: NodeJS.ProcessEnv): string {
  const tsx = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
  const source = `import { createVerifier } from ${JSON.stringify(`${SRC}index.ts`)}\n${program}`
  const args = ['--import', tsx, '--input-type=module', '--eval', source]
  const { PATH } = process.env
  return spawnSync(process.execPath, args, { env: { PATH, ...env }, encoding: 'utf8', timeout: 30_000 }).stderr
}

const KEYCLOAK = 'http://keycloak:8080'

test.each([
  [{}, undefined, true],
  [{}, ' ', true],
  [{}, '1', true],
  [{}, 'true', true],
  [{}, '0', false],
  [{}, 'false', false],
  [{ outageNotices: true }, 'false', true],
  [{ outageNotices: false }, 'true', false],
])('outages are told of as option and variable say: %j, %j', (options, value, expected) => {
  expect(resolve(options, { VANTAGE_OUTAGE_NOTICES: value }).outageNotices).toBe(expected)
})

describe('http for the issuer of the environment', () => {
  test.each([undefined, '', ' ', 'false', '0'])('is refused, and the variable named, when that is %j', (value) => {
    const env = { VANTAGE_ISSUER: KEYCLOAK, VANTAGE_ALLOW_INSECURE_HTTP: value }
    expect(messageOf({ keys: false }, env)).toMatch(
      /^VANTAGE_ISSUER must be https; .*VANTAGE_ALLOW_INSECURE_HTTP=true$/,
    )
  })

  test.each(['true', '1', ' true '])('is permitted by %j, for issuer and key set', (value) => {
    const env = { VANTAGE_ISSUER: KEYCLOAK, VANTAGE_ALLOW_INSECURE_HTTP: value }
    expect(issuerOf({}, env)?.keySource).toEqual({ kind: 'discovery', url: new URL(KEYCLOAK) })
    const url = `${KEYCLOAK}/jwks`
    expect(issuerOf({}, { ...env, VANTAGE_JWKS_URI: url })?.keySource).toEqual({ kind: 'jwks_uri', url: new URL(url) })
  })

  test('is permitted for no URL that the program names', () => {
    const env = { VANTAGE_ISSUER: KEYCLOAK, VANTAGE_ALLOW_INSECURE_HTTP: 'true' }
    expect(messageOf({ keys: false, issuer: KEYCLOAK }, env)).toMatch(/^issuer must be https/)
    expect(messageOf({ keys: false, issuer: [KEYCLOAK] }, env)).toMatch(/^issuer must be https/)
    expect(messageOf({ keys: false, issuer: [{ issuer: KEYCLOAK }] }, env)).toMatch(/^issuer\[0\].issuer must be https/)
    expect(messageOf({ keys: false, jwksUri: `${KEYCLOAK}/jwks` }, env)).toMatch(/^jwksUri must be https/)
  })

  test('permits no other scheme', () => {
    const env = { VANTAGE_ISSUER: 'https://a.example', VANTAGE_ALLOW_INSECURE_HTTP: 'true' }
    expect(messageOf({ keys: false }, { ...env, VANTAGE_JWKS_URI: 'ftp://a.example/jwks' })).toMatch(
      /^VANTAGE_JWKS_URI/,
    )
  })
})

test('http is warned of once, whatever is created', () => {
  const env = { VANTAGE_ISSUER: KEYCLOAK, VANTAGE_ALLOW_INSECURE_HTTP: '1' }
  const stderr = stderrOf('createVerifier({ keys: false }); createVerifier({ keys: false })', env)
  expect(stderr.match(/VANTAGE_INSECURE_HTTP/g)).toHaveLength(1)
  expect(stderr).toContain('VANTAGE_ISSUER is http outside loopback')
}, 40_000)

test('the variable alone warns of nothing', () => {
  const env = { VANTAGE_ISSUER: 'http://localhost:8080', VANTAGE_ALLOW_INSECURE_HTTP: '1' }
  expect(stderrOf('createVerifier({ keys: false })', env)).toBe('')
}, 40_000)

test('a verifier that accepts nothing is warned of once', () => {
  const program = 'createVerifier({ issuer: false, keys: false }); createVerifier({ issuer: false, keys: false })'
  const stderr = stderrOf(program, {})
  expect(stderr.match(/VANTAGE_NOTHING_ACCEPTED/g)).toHaveLength(1)
  expect(stderr).toContain('issuer: false')
}, 40_000)

describe('under NODE_DEBUG', () => {
  const NODE_DEBUG = 'vantage-auth'
  const twice = 'createVerifier({ keys: false }); createVerifier({ keys: false })'

  test('which issuer and audience are trusted by default is told once', () => {
    const lines = stderrOf(twice, { NODE_DEBUG }).trim().split('\n')
    expect(lines).toEqual([expect.stringContaining('trusted by default')])
    expect(lines[0]).toContain('issuer https://auth.vantage.omnivector.solutions ')
    expect(lines[0]).toContain('audience https://api.vantage.omnivector.solutions ')
  }, 40_000)

  test('what a later verifier is the first to trust by default is told of, and nothing twice', () => {
    const program = `createVerifier({ keys: false, audience: 'x' })
createVerifier({ keys: false, issuer: 'https://e.example' })
createVerifier({ keys: false })`
    const lines = stderrOf(program, { NODE_DEBUG }).trim().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(/trusted by default: issuer https:\/\/auth\.vantage\.\S+ \([^)]*\)$/),
      expect.stringMatching(/trusted by default: audience https:\/\/api\.vantage\.\S+ \([^)]*\)$/),
    ])
  }, 40_000)

  test('only what is a default is told of', () => {
    const line = stderrOf(twice, { NODE_DEBUG, VANTAGE_ISSUER: 'https://sso.example' })
    expect(line).toContain('audience https://api.vantage.omnivector.solutions ')
    expect(line).not.toContain('issuer http')
    expect(stderrOf(twice, { NODE_DEBUG, VANTAGE_ISSUER: 'https://sso.example', VANTAGE_AUDIENCE: 'reports' })).toBe('')
    expect(stderrOf('createVerifier({ keys: "memory:", issuer: false })', { NODE_DEBUG })).toBe('')
  }, 80_000)
})
