import { describe, expect, test } from 'vitest'
import { conclude } from '../../src/cli/explain/conclusion.js'
import { explainCredential } from '../../src/cli/explain/credential.js'
import type { IssuerOptions, VerifierOptions } from '../../src/config/options.js'
import { resolveOptions } from '../../src/config/options.js'
import { keycloak } from '../../src/presets/keycloak.js'
import { createTestIssuer } from '../support/tokens.js'

const issuer = createTestIssuer()
const JWT = { typ: 'JWT' }

/** What explain answers, first line and rows, of a token of the issuer. */
async function explain(
  entry: Partial<IssuerOptions>,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  options: Partial<VerifierOptions> = {},
) {
  const config = resolveOptions(
    {
      audience: 'https://api.example.com',
      issuer: [{ issuer: issuer.issuer, jwks: issuer.jwks, ...entry }],
      ...options,
      keys: false,
    },
    {},
  )
  const service = { config, keys: { kind: 'none', because: '' }, defaults: { issuer: false, audience: false } } as const
  const token = issuer.mint({ aud: 'https://api.example.com', ...claims }, header)
  const explanation = await explainCredential(token, service, false)
  const row = (name: string) => explanation.findings.find(({ check }) => check === name)
  return { ...conclude(explanation), row }
}

describe('an issuer that is not configured', () => {
  const resolveIssuer = () => undefined

  test('is named, with its differences, where resolveIssuer may know it', async () => {
    const { verdict, summary, cure, row } = await explain({}, { iss: `${issuer.issuer}/` }, {}, { resolveIssuer })
    expect(verdict).toBe('undecided')
    expect(summary).toBe(`undecided because its issuer "${issuer.issuer}/" is not configured`)
    expect(cure).toMatch(/^services refuse it unless resolveIssuer knows it/)
    expect(row('iss')).toMatchObject({
      outcome: 'open',
      found: `"${issuer.issuer}/"`,
      expected: expect.stringMatching(
        /\(the token has a slash at its end\), or an https URL that resolveIssuer knows$/,
      ),
    })
  })

  test('is refused where resolveIssuer is not asked, and the row says of what it is', async () => {
    const { verdict, row } = await explain({}, { iss: 'http://other.example' }, {}, { issuer: false, resolveIssuer })
    expect(verdict).toBe('refused')
    expect(row('iss')?.expected).toBe('none by the options, or an https URL that resolveIssuer knows')
  })

  const TENANT = 'aaaabbbb-0000-cccc-1111-dddd2222eeee'
  test.each([
    [`https://sts.windows.net/${TENANT}/`, `https://login.microsoftonline.com/${TENANT}/v2.0`, 'entra({ version: 1 })'],
    [`https://login.microsoftonline.com/${TENANT}/v2.0`, `https://sts.windows.net/${TENANT}/`, 'entra({ version: 2 })'],
  ])('that is the other version of Entra: %s', async (iss, configured, cure) => {
    expect((await explain({ issuer: configured }, { iss })).cure).toContain(cure)
    expect((await explain({}, { iss })).cure).not.toContain('version')
  })
})

describe('the cure', () => {
  test.each(['account', ['account', 'broker'], ['realm-management']])(
    'for the audience %j is a mapper',
    async (aud) => {
      const { reason, cure } = await explain({}, { aud })
      expect(reason).toBe('audience')
      expect(cure).toMatch(/add an audience mapper/)
      expect(cure).not.toContain('VANTAGE_AUDIENCE')
      expect((await explain({}, { aud: 'other' })).cure).toContain('VANTAGE_AUDIENCE')
    },
  )

  test('speaks of the profile only where the typ of the header says nothing', async () => {
    expect((await explain({}, {}, JWT)).cure).toContain('profile lenient')
    expect((await explain({}, {}, { typ: undefined })).cure).toContain('profile lenient')
    expect((await explain({}, {}, { typ: 'dpop+jwt' })).cure).toBe('send the access token')
  })

  test.each([
    [{ typ: 'ID' }, 'an ID token'],
    [{ typ: 'Refresh' }, 'a refresh token'],
    [{ typ: 'Offline' }, 'an offline token'],
    [{ typ: 'Logout' }, 'a logout token'],
    [{ typ: 'Else' }, 'no access token'],
    [{ token_use: 'id' }, 'an ID token'],
    [{ at_hash: 'x' }, 'an ID token'],
    [{ nonce: 'x' }, 'an ID token'],
    [{ events: {} }, 'a logout token or another security event'],
  ])('names what was sent in its place: %j', async (claims, kind) => {
    const { reason, summary, cure } = await explain({ profile: 'lenient' }, claims, JWT)
    expect([reason, cure]).toEqual(['type', 'send the access token'])
    expect(summary).toMatch(new RegExp(`^refused because it is ${kind}, by its `))
  })

  test('names an ID token where no client is', async () => {
    const entry = { profile: 'lenient', requireClient: true } as const
    const { summary, cure } = await explain(entry, { client_id: undefined }, JWT)
    expect(summary).toBe('refused because it names no client (claims)')
    expect(cure).toMatch(/^send the access token: ID tokens name none/)
  })
})

describe('of a token without scopes the first line says why', () => {
  test('no claim, and where they were looked for', async () => {
    const { summary, row } = await explain({ scopeClaims: ['realm_acess.roles'] })
    expect(summary).toContain('without a scope, since it has none in "realm_acess.roles", (token of ')
    expect(row('scope')?.found).toBe('none in "realm_acess.roles": it grants no scope')
  })

  test('no grant', async () => {
    const grants = [{ match: { sub: 'nobody' }, scopes: ['jobs:read'] }]
    const { summary } = await explain({ grants }, { scope: undefined })
    expect(summary).toContain('without a scope, since no grant matches it, (token of ')
  })

  test('an empty claim', async () => {
    expect((await explain({}, { scope: '' })).summary).toContain('without a scope (token of ')
  })
})

describe('what requireAuthentication() looks at', () => {
  test('is a row, with its age, and the cure says what a 401 asks for', async () => {
    const { row, cure } = await explain({}, { acr: 'mfa', auth_time: Math.floor(Date.now() / 1000) - 600 })
    expect(row('sign-in')?.found).toMatch(/^acr "mfa", auth_time 20\d\d-\S+Z, 10 min( 1 s)? ago$/)
    expect(cure).toMatch(/401 insufficient_user_authentication .*row sign-in/)
  })

  test('says what is absent, and what counts for nothing', async () => {
    expect((await explain({})).row('sign-in')?.found).toBe('no acr, no auth_time')
    const { row } = await explain({}, { acr: 1, auth_time: 'yesterday' })
    expect(row('sign-in')?.found).toBe('no acr that is a text (1), no auth_time that is a time "yesterday"')
  })
})

test('a DPoP token of Keycloak is refused by its binding, not by its kind', async () => {
  const entry = keycloak({ issuer: issuer.issuer, audience: 'https://api.example.com' })
  const claims = { typ: 'DPoP', azp: 'web', cnf: { jkt: 'x' } }
  expect((await explain(entry, claims, JWT)).reason).toBe('sender_constrained')
  expect((await explain(entry, { ...claims, typ: undefined }, JWT)).reason).toBe('claims')
})
