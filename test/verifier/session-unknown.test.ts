import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createTestIssuer } from '../../src/testing/issuer.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { decide } from '../support/outcome.js'

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
  const of = (list: readonly unknown[]) => list.filter((each) => JSON.stringify(each).includes('SESSION_UNKNOWN'))
  return {
    // Node emits a warning a turn later.
    async warnings() {
      await new Promise(setImmediate)
      return of(warnings.map((warning) => ({ code: (warning as { code?: string }).code, text: warning.message })))
    },
    events: () => events.filter((event) => (event as { event: string }).event === 'session_unknown'),
  }
}

async function service(issuerName: string) {
  const issuer = createTestIssuer({ issuer: issuerName })
  const store = memoryKeyStore()
  const verifier = createVerifier({ ...issuer.options, keys: store })
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
})
