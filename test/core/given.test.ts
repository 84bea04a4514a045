import { describe, expect, test } from 'vitest'
import { withoutSecrets } from '../../src/core/cause.js'
import { formatGiven, mayBeRepeated } from '../../src/core/given.js'

const KEY = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'
const BODY = KEY.slice('vak_live_'.length)

describe('a message shows', () => {
  test.each([['jobs:wirte'], ['Cvr9ZyvaWKKY'], ['expires-in'], ['']])('%j as it was given', (text) => {
    expect(formatGiven(text)).toBe(JSON.stringify(text))
    expect(mayBeRepeated(text)).toBe(true)
  })

  test.each([
    ['a key', KEY, 'a text of 70 characters'],
    ['a key without its prefix', BODY, 'a text of 61 characters'],
    ['a part of a key', BODY.slice(12, 33), 'a text of 21 characters'],
    ['a part of a key within other characters', `id=${BODY.slice(0, 21)}!`, 'a text of 25 characters'],
    ['a long text', 'jobs:'.repeat(7), 'a text of 35 characters'],
    ['control characters', 'a\u001b[31m', 'a text of 6 characters'],
    ['an object', { authorization: `Bearer ${KEY}` }, 'object'],
    ['an array', [KEY], 'an array'],
    ['null', null, 'null'],
    ['a function', () => KEY, 'function'],
  ])('%s by its kind', (_, value, shown) => {
    expect(formatGiven(value)).toBe(shown)
  })
})

test.each([KEY, BODY, BODY.slice(0, 33), `--${BODY}=x`, `"${BODY}"`])('nothing is left of a key in %s', (text) => {
  const left = withoutSecrets(`Unknown option '${text}' of keys create`)
  expect(left).toMatch(/^Unknown option '.*….*' of keys create$/)
  for (let i = 0; i + 8 <= BODY.length; i++) expect(left).not.toContain(BODY.slice(i, i + 8))
})

test.each([
  [
    'a token',
    'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1In0.a-b_C3d-e_F5g-h_I7j-k_L9m-n_O1p-q_R3s-t_U5v-w_X7y-z_A9b-c_D1e-f_G3h-i_J5k-l_M7n-o_P9q',
  ],
  ['the shortest signature', 'a-b_C3d-e_F5g-h_I7j-k_L9m-n_O1p-q_R3s-t_U5v'],
])('nothing is left of %s, whose parts are short', (_, text) => {
  expect(withoutSecrets(`Unknown option '--${text}'`)).toMatch(/^Unknown option '(--)?…'$/)
})

test.each([
  'issuer is not a URL; it looks like https://auth.vantage.omnivector.solutions',
  'The key store postgres://svc@keys.abcdefghijkl.us-east-1.rds.amazonaws.com:5432/keys is out of reach',
  'vantage_token_revocations_client_id belongs to somebody else',
  'unknown option "keysetMaxStaleSeconds"; there are clockToleranceSeconds, keySetMaxStaleSeconds',
  'There is no key store at "/var/lib/pods/0b1f7c1e-5b0e-4c39-9a5e-3d7f0a6b2c11/keys.db"',
])('what holds no secret stays as it is: %s', (text) => {
  expect(withoutSecrets(text)).toBe(text)
})

test.each([
  'abcdefghijklmnopqrstuvwxyz',
  'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  'clockTolerance7Seconds',
  'clockToleranceSecondsOfTheWholeFleet',
])('what is no name of an option is hidden: %s', (text) => expect(withoutSecrets(`it was ${text}`)).toBe('it was …'))
