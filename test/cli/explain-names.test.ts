import { expect, test } from 'vitest'
import { explainCredential } from '../../src/cli/explain/credential.js'
import { resolveOptions } from '../../src/config/options.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createTestIssuer } from '../support/tokens.js'

const issuer = createTestIssuer()
const service = {
  config: resolveOptions({ ...issuer.options, keys: false }, {}),
  keys: { kind: 'own', store: memoryKeyStore() },
  defaults: { issuer: false, audience: false },
} as const

async function namesOf(claims: Record<string, unknown>): Promise<string | undefined> {
  const { findings } = await explainCredential(issuer.mint(claims), service, false)
  return findings.find(({ check }) => check === 'names')?.found
}

test('explain says by what a token can be revoked', async () => {
  const names = await namesOf({ sid: 's1', sub: 'ann', jti: 'j1', client_id: 'c1' })
  expect(names).toBe('session "s1", subject "ann", token id "j1", client "c1"')
  expect(await namesOf({ sub: 'ann' })).toMatch(/^no session: the end of one does not end it, subject "ann"/)
})

test('explain shows no API key that stands in a name', async () => {
  const key = `vak_live_${'a'.repeat(40)}`
  expect(await namesOf({ sid: key })).not.toContain(key)
})
