import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore } from '../../src/store/contract.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { decide } from '../support/outcome.js'
import { until } from '../support/until.js'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

/** What the process is warned of, and what telemetry is told, from now on. */
function listen() {
  const warnings: Error[] = []
  const events: unknown[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  const onEvent = (event: unknown) => void events.push(event)
  process.on('warning', onWarning)
  subscribe('vantage-auth:store', onEvent)
  endings.push(
    () => process.off('warning', onWarning),
    () => unsubscribe('vantage-auth:store', onEvent),
  )
  return {
    // Node emits a warning a turn later.
    async warnings(kind = 'SESSION') {
      await new Promise(setImmediate)
      return warnings
        .map((warning) => ({ code: (warning as { code?: string }).code, text: warning.message }))
        .filter(({ code }) => code === `VANTAGE_${kind}_UNKNOWN`)
    },
    events: (kind = 'session') => events.filter((event) => (event as { event: string }).event === `${kind}_unknown`),
  }
}

async function service(issuerName: string, own: Partial<KeyStore> = {}, options: VerifierOptions = {}) {
  const issuer = createTestIssuer({ issuer: issuerName })
  const store = memoryKeyStore()
  const verifier = createVerifier({ ...issuer.options, keys: { ...store, ...own }, ...options })
  endings.push(() => verifier.close())
  await verifier.ready()
  return { issuer, verifier, keyring: createKeyring(store) }
}

describe('a session that has ended', () => {
  test('ends its tokens, and no others', async () => {
    const { issuer, verifier, keyring } = await service('https://ended.example')
    const [ended, other] = [issuer.mint({ sid: 's1' }), issuer.mint({ sid: 's2' })]
    for (const token of [ended, other]) expect(await decide(verifier, token)).toBe('accepted')
    await keyring.revokeTokens({ issuer: issuer.issuer, sessionId: 's1' })
    expect(await decide(verifier, ended)).toBe('401 revoked')
    expect(await decide(verifier, other)).toBe('accepted')
  })

  test('tells once that an accepted token says no session', async () => {
    const heard = listen()
    const { issuer, verifier, keyring } = await service('https://silent.example')
    const token = issuer.mint()
    expect(await decide(verifier, token)).toBe('accepted')
    expect(await heard.warnings()).toEqual([])
    await keyring.revokeTokens({ issuer: issuer.issuer, sessionId: 's1' })
    expect(await decide(verifier, issuer.mint({ sid: 's2' }))).toBe('accepted')
    expect(await heard.warnings()).toEqual([])
    for (const each of [token, token, issuer.mint()]) expect(await decide(verifier, each)).toBe('accepted')
    expect(await heard.warnings()).toEqual([
      { code: 'VANTAGE_SESSION_UNKNOWN', text: expect.stringContaining('https://silent.example') },
    ])
    expect(heard.events()).toEqual([{ event: 'session_unknown', issuer: 'https://silent.example' }])
  })

  test('tells nothing of tokens of another issuer, nor where subjects alone are revoked', async () => {
    const heard = listen()
    const { issuer, verifier, keyring } = await service('https://quiet.example')
    await keyring.revokeTokens({ issuer: 'https://another.example', sessionId: 's1' })
    await keyring.revokeTokens({ issuer: issuer.issuer, subject: 'somebody', issuedBefore: Date.now() })
    expect(await decide(verifier, issuer.mint())).toBe('accepted')
    expect(await heard.warnings()).toEqual([])
    expect(heard.events()).toEqual([])
  })

  test('tells nothing where the event that ended it names the subject as well, until one does not', async () => {
    const heard = listen()
    const { issuer, verifier, keyring } = await service('https://both.example')
    const end = (sid: string, subject?: string) =>
      keyring.revokeTokensOnce({ issuer: issuer.issuer, id: sid, keepUntil: Date.now() + 60_000 }, [
        { issuer: issuer.issuer, sessionId: sid },
        ...(subject
          ? [{ issuer: issuer.issuer, subject, issuedBefore: Date.now(), withoutSession: true } as const]
          : []),
      ])
    // The second takes the place of what the first says of the subject.
    for (const sid of ['s1', 's2']) await end(sid, 'ann')
    expect(await decide(verifier, issuer.mint({ sub: 'ann' }))).toBe('401 revoked')
    expect(await decide(verifier, issuer.mint({ sub: 'bob' }))).toBe('accepted')
    expect(await heard.warnings()).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 2))
    await end('s3')
    expect(await decide(verifier, issuer.mint({ sub: 'bob' }))).toBe('accepted')
    expect(await heard.warnings()).toHaveLength(1)
  })

  test.each<[string, Partial<KeyStore>]>([
    ['is asked about each token', { watch: undefined as never }],
    ['is read each time', { watch: undefined as never, findTokenRevocations: undefined as never }],
  ])('is told of by a store that tells of no changes, and %s', async (_, own) => {
    const heard = listen()
    const name = `https://unwatched-${Object.keys(own).length}.example`
    const { issuer, verifier, keyring } = await service(name, own)
    await keyring.revokeTokens({ issuer: name, sessionId: 's1' })
    expect(await decide(verifier, issuer.mint({ sid: 's2' }))).toBe('accepted')
    expect(await heard.warnings()).toEqual([])
    expect(await decide(verifier, issuer.mint())).toBe('accepted')
    await until(async () => (await heard.warnings()).length > 0)
    expect(heard.events()).toEqual([{ event: 'session_unknown', issuer: name }])
  })
})

describe('a revocation of tokens of an issuer that the service does not accept', () => {
  test('is told of once, also where it was there before the service', async () => {
    const heard = listen()
    const { issuer, keyring } = await service('https://slash.example')
    for (const tokenId of ['j1', 'j2']) await keyring.revokeTokens({ issuer: `${issuer.issuer}/`, tokenId })
    expect(await heard.warnings('ISSUER')).toEqual([
      { code: 'VANTAGE_ISSUER_UNKNOWN', text: expect.stringContaining('"https://slash.example/"') },
    ])
    expect(heard.events('issuer')).toEqual([{ event: 'issuer_unknown', issuer: 'https://slash.example/' }])

    const store = memoryKeyStore()
    await createKeyring(store).revokeTokens({ issuer: 'https://before.example', tokenId: 'j' })
    const verifier = createVerifier({ ...issuer.options, keys: store })
    endings.push(() => verifier.close())
    await verifier.ready()
    expect(await heard.warnings('ISSUER')).toHaveLength(2)
    expect(heard.events('issuer')).toHaveLength(2)
  })

  test('is none of one that it accepts, nor of any where resolveIssuer may know it', async () => {
    const heard = listen()
    const { issuer, keyring } = await service('https://known.example')
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'j' })
    const open = await service('https://open.example', {}, { resolveIssuer: () => undefined })
    await open.keyring.revokeTokens({ issuer: 'https://customer.example', tokenId: 'j' })
    expect(await heard.warnings('ISSUER')).toEqual([])
    expect(heard.events('issuer')).toEqual([])
  })
})
