import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createVerifier } from 'vantage-auth'
import { createTestClock, createTestIssuer, createTestKeys } from 'vantage-auth/testing'

const clock = createTestClock('2026-11-25T12:00:00Z')
const issuer = createTestIssuer({ provider: 'keycloak', clock })
const { store, keyring } = createTestKeys({ clock })
const verifier = createVerifier({ ...issuer.options, keys: store })

const decide = async (credential) => verifier.authenticate({ authorization: `Bearer ${credential}` })

test('a token is good for five minutes', async () => {
  const token = issuer.mint({ scope: 'jobs:read' })
  assert.deepEqual((await decide(token)).scopes, ['jobs:read'])
  clock.advance('6m')
  await assert.rejects(decide(token), { reason: 'expired' })
})

test('a key ends when it was said to', async () => {
  const { key } = await keyring.create({ subject: 'ci', scopes: ['jobs:read'], expiresIn: '90d' })
  assert.equal((await decide(key)).subject, 'ci')
  clock.advance('90d')
  await assert.rejects(decide(key), { reason: 'expired' })
})

test('an outage of the issuer is 503', async () => {
  const other = createTestIssuer()
  const cold = createVerifier({ ...other.options, keys: false })
  other.down()
  await assert.rejects(async () => cold.authenticate({ authorization: `Bearer ${other.mint()}` }), { status: 503 })
})
