import { expect, test } from 'vitest'
import { describePolicy } from '../../src/config/effective-policy.js'
import { entra } from '../../src/presets.js'
import { resolve } from '../support/options.js'
import { PAGES, type Preset, readPage } from './page.js'
import { createProvider } from './provider.js'

const NAMES = Object.keys(PAGES) as Preset[]

/** Such as widen what a token may do. */
const SHARED = { scopes: 'union', scopeClaims: ['scope', 'scp', 'groups'] } as const

test.each(NAMES)('%s reads scopes as ever, and requires what is required of all', (preset) => {
  const { entry } = readPage(preset)
  const [alone] = describePolicy(resolve({ issuer: [entry] })).issuers
  const [shared] = describePolicy(resolve({ ...SHARED, required: { email_verified: true }, issuer: [entry] })).issuers
  expect(shared).toEqual({ ...alone, required: { email_verified: [true], ...alone?.required } })
})

test.each<Preset>(['googleServiceAccount', 'kubernetes', 'githubActions', 'spiffe'])(
  '%s: what a token says of scopes itself counts for nothing',
  async (preset) => {
    const { token, entry } = readPage(preset)
    const issuer = entry.issuer ?? 'spiffe://acme.org'
    const jwksUri = entry.jwksUri ?? `${issuer}/keys`
    const places = [{ issuer, metadata: `${issuer}/.well-known/openid-configuration`, jwksUri }]
    const provider = createProvider(preset, {
      places,
      header: { typ: 'JWT' },
      use: preset === 'spiffe' ? 'jwt-svid' : 'sig',
    })
    const granted = await provider.outcome(provider.sign(token))
    expect(granted).toMatchObject({ scopes: expect.arrayContaining([expect.any(String)]) })
    for (const claims of [{ scope: 'keys:write' }, { scope: '' }, { scp: ['keys:write'] }, { scope: 42 }]) {
      expect(await provider.outcome(provider.sign({ ...token, ...claims }))).toEqual(granted)
    }
    await provider.close()
  },
)

test('Entra compares tid with the tenant of iss, whatever else is required', async () => {
  const { token, entry } = readPage('entra')
  const issuer = token.iss as string
  const provider = createProvider('entra', {
    places: [{ issuer, metadata: `${issuer}/.well-known/openid-configuration`, jwksUri: `${issuer}/keys` }],
    entry: {
      ...entra({ tenants: entry.tenants as string[], audience: token.aud as string }),
      required: { ver: '2.0' },
    },
    header: { typ: 'JWT' },
  })
  expect(await provider.outcome(provider.sign(token))).toMatchObject({ tenant: token.tid })
  const OTHER = 'bbbbcccc-1111-dddd-2222-eeee3333ffff'
  for (const tid of [OTHER, undefined, null, 7, '', [token.tid], String(token.tid).toUpperCase()]) {
    expect(await provider.outcome(provider.sign({ ...token, tid }))).toBe('claims')
  }
  expect(await provider.outcome(provider.sign({ ...token, ver: '1.0' }))).toBe('claims')
  await provider.close()
})
