import { expect, test } from 'vitest'
import { withoutSecrets } from '../../console/page/key-text.js'

const ID = '4dcF0m3vXq2T'
const SECRET = 'y'.repeat(43)
const CHECKSUM = 'Ab3Cd5'
const KEY = `vak_live_${ID}${SECRET}${CHECKSUM}`

test.each([
  ['a whole key', KEY, `vak_live_${ID}`],
  ['a key of another environment', KEY.replace('live', 'test'), `vak_test_${ID}`],
  ['a key in a sentence', `the key is ${KEY}, revoke it`, `the key is vak_live_${ID}, revoke it`],
  ['two keys', `${KEY} ${KEY}`, `vak_live_${ID} vak_live_${ID}`],
  ['a key that was cut off', KEY.slice(0, 30), `vak_live_${ID}`],
  ['a key and one letter of the next word', `${KEY}x`, `vak_live_${ID}`],
  ['a line of an environment file', `VANTAGE_API_KEY=${KEY}`, `VANTAGE_API_KEY=vak_live_${ID}`],
  ['a key without its prefix', KEY.slice('vak_live_'.length), ID],
  ['the secret part alone', SECRET, ''],
  ['the secret part with the checksum', SECRET + CHECKSUM, ''],
])('removes the secret of %s', (_, text, clean) => {
  expect(withoutSecrets(text)).toEqual({ text: clean, removed: true })
})

test.each([
  '',
  'Nightly export',
  'vak_live_',
  `vak_live_${ID}`,
  `vak_live_${ID}…`,
  ID,
  'x'.repeat(42),
  'vak_live_4dcF',
])('leaves %j as it is', (text) => {
  expect(withoutSecrets(text)).toEqual({ text, removed: false })
})
