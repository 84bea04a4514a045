import { describe, expect, test } from 'vitest'
import { examineRevocations } from '../../src/cli/doctor/revocations.js'
import { resolveOptions } from '../../src/config/options.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'

const ISSUER = 'https://issuer.example'
const config = resolveOptions({ issuer: ISSUER, keys: false }, {})

async function examine(...selectors: Parameters<ReturnType<typeof createKeyring>['revokeTokens']>[0][]) {
  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  for (const selector of selectors) await keyring.revokeTokens(selector)
  return examineRevocations(store, config, 1000)
}

describe('what doctor says of revocations', () => {
  test('is nothing where there are none, and where they are those of tokens of a configured issuer', async () => {
    expect(await examine()).toEqual([])
    expect(await examine({ issuer: ISSUER, tokenId: 'j' })).toEqual([])
  })

  test('names an issuer that the service does not accept, and the one that it nearly is', async () => {
    const found = await examine(
      { issuer: `${ISSUER}/`, tokenId: 'j' },
      { issuer: 'https://other.example', tokenId: 'j' },
    )
    expect(found).toMatchObject([
      {
        check: 'revocations',
        about: `${ISSUER}/`,
        result: 'warning',
        found: expect.stringContaining(`accepts ${ISSUER}:`),
      },
      { check: 'revocations', about: 'https://other.example', result: 'warning' },
    ])
    expect(found[1]?.found).not.toContain(ISSUER)
  })

  test('warns of no issuer where resolveIssuer may know it', async () => {
    const store = memoryKeyStore()
    await createKeyring(store).revokeTokens({ issuer: 'https://customer.example', sessionId: 's' })
    for (const issuer of [false, ISSUER] as const) {
      const open = resolveOptions({ issuer, keys: false, resolveIssuer: () => undefined }, {})
      expect(await examineRevocations(store, open, 1000)).toMatchObject([
        { about: 'https://customer.example', result: 'ok', found: expect.stringContaining('sessions are revoked') },
      ])
    }
  })

  test('is how to tell whether sessions that are revoked end tokens', async () => {
    const found = await examine({ issuer: ISSUER, sessionId: 's' }, { issuer: ISSUER, sessionId: 't' })
    expect(found).toMatchObject([
      { about: ISSUER, result: 'ok', found: expect.stringContaining('vantage-auth explain') },
    ])
  })

  test('is short, however many issuers the revocations name', async () => {
    const many = Array.from({ length: 30 }, (_, i) => ({ issuer: `https://${i}.example`, tokenId: 'j' }))
    expect(await examine(...many)).toHaveLength(10)
  })

  test('is nothing of a store that has none, or does not answer', async () => {
    const { tokenRevocations: _, ...without } = memoryKeyStore()
    expect(await examineRevocations(without, config, 1000)).toEqual([])
    const failing = { ...memoryKeyStore(), tokenRevocations: () => Promise.reject(new Error('hush')) }
    expect(await examineRevocations(failing, config, 1000)).toEqual([])
  })
})
