import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  type ApiKeyAuth,
  assertScope,
  createVerifier,
  type DecisionEvent,
  hasAnyScope,
  InsufficientScopeError,
} from 'vantage-auth'
import { afterEach, describe, expect, test } from 'vitest'
import { publishRefusal } from '../../src/core/telemetry.js'
import { createOwnStore, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

function decisions(): DecisionEvent[] {
  const events: DecisionEvent[] = []
  const listen = (event: unknown) => void events.push(event as DecisionEvent)
  subscribe('vantage-auth:decision', listen)
  endings.push(() => unsubscribe('vantage-auth:decision', listen))
  return events
}

function refusalOf(act: () => void): InsufficientScopeError {
  try {
    act()
  } catch (error) {
    return error as InsufficientScopeError
  }
  throw new Error('it passed')
}

const auth: ApiKeyAuth = {
  kind: 'api_key',
  keyId: 'Cvr9ZyvaWKKY',
  subject: 's',
  scopes: ['jobs:read', 'teams:read'],
  name: null,
  tenant: null,
  expiresAt: null,
}

describe('assertScope', () => {
  test('passes an Auth that grants all of the scopes, and publishes nothing', () => {
    const events = decisions()
    expect(assertScope(auth, 'jobs:read', 'teams:read')).toBeUndefined()
    expect(events).toEqual([])
  })

  test('refuses with what a guard refuses with, and the realm of an Auth that no verifier made', () => {
    const refusal = refusalOf(() => assertScope(auth, 'jobs:read', 'jobs:write'))
    expect(refusal).toBeInstanceOf(InsufficientScopeError)
    expect(refusal).toMatchObject({
      status: 403,
      reason: 'scope',
      required: ['jobs:read', 'jobs:write'],
      credential: { kind: 'api_key', keyId: 'Cvr9ZyvaWKKY' },
    })
    expect(refusal.headers['WWW-Authenticate']).toMatch(/^Bearer realm="vantage", .*, scope="jobs:read jobs:write"$/)
  })

  test.each(['a key', 'a token'])('has the realm of the verifier that accepted %s, cached or not', async (what) => {
    const issuer = createTestIssuer()
    const key = createTestKey()
    const authorization = `Bearer ${what === 'a key' ? key.key : issuer.mint()}`
    for (const realm of ['own', 'other']) {
      const verifier = createVerifier({ ...issuer.options, keys: createOwnStore(key), realm })
      endings.push(() => verifier.close())
      for (let time = 0; time < 2; time++) {
        const made = await verifier.authenticate({ authorization })
        const refusal = refusalOf(() => assertScope(made, 'jobs:write'))
        expect(refusal.headers['WWW-Authenticate']).toMatch(new RegExp(`^Bearer realm="${realm}", `))
      }
    }
  })

  test('publishes the decision as one of a handler, once also where the error is passed on', () => {
    const events = decisions()
    const refusal = refusalOf(() => assertScope(auth, 'jobs:write'))
    publishRefusal(refusal, auth, 'handler')
    expect(events).toMatchObject([
      { outcome: 'scope_insufficient', reason: 'scope', decidedBy: 'handler', kind: 'api_key', keyId: 'Cvr9ZyvaWKKY' },
    ])
  })

  test.each([[undefined], [null], [{ scopes: ['jobs:write'] }], ['jobs:write']])(
    'takes nothing but an Auth: %j is a mistake, not a permission',
    (value) => {
      expect(() => assertScope(value as never, 'jobs:write')).toThrow(TypeError)
    },
  )

  test.each([[[]], [['']], [['jobs:read jobs:write']], [[['jobs:read']]]])('refuses to check %j', (scopes) => {
    expect(() => assertScope(auth, ...(scopes as ['jobs:read']))).toThrow(/^assertScope\(\)/)
  })
})

test('hasAnyScope is true for one of the scopes, and refuses to check none', () => {
  expect(hasAnyScope(auth, 'jobs:write', 'teams:read')).toBe(true)
  expect(hasAnyScope(auth, 'jobs:write', 'teams:write')).toBe(false)
  expect(() => hasAnyScope(auth, ...([] as unknown as ['jobs:read']))).toThrow(/^hasAnyScope\(\) needs at least one/)
})
