import { randomUUID } from 'node:crypto'
import type { Profile } from '../token/policy.js'

/** Whose access tokens a test issuer's look like. */
export type TestProvider = 'keycloak' | 'auth0' | 'entra' | 'okta' | 'cognito'

/** The options that accept tokens of such a shape. */
export interface ProviderOptions {
  readonly profile?: Profile
  readonly scopeClaims?: readonly string[]
  readonly scopeSeparator?: 'space'
  readonly clientIdClaim?: string
  readonly tenantClaim?: string
}

/** How the access tokens of one kind of issuer look. */
export interface TokenShape {
  readonly issuer: string
  /** The `typ` of the header; `undefined` where there is none. */
  readonly typ: string | undefined
  readonly options: ProviderOptions
  /** The claim that names the client. */
  readonly client: string
  /** The claim that has the scopes. */
  readonly scope: string
  /** Whether that claim is a list. */
  readonly scopeIsList?: true
  /** Claims besides `iss`, `aud`, `sub`, `iat`, `exp`, client and scopes. `nowSeconds` is their time. */
  claims(nowSeconds: number, audience: string | readonly string[], issuer: string): Readonly<Record<string, unknown>>
}

/** RFC 9068, the shape of the Vantage API's own tokens. */
export const RFC9068: TokenShape = {
  issuer: 'https://issuer.test',
  typ: 'at+jwt',
  options: {},
  client: 'client_id',
  scope: 'scope',
  claims: () => ({ jti: randomUUID() }),
}

const ENTRA_TENANT = '11111111-2222-3333-4444-555555555555'

/** What the vendors document, as far as a resource server sees it. */
export const PROVIDERS: { readonly [P in TestProvider]: TokenShape } = {
  keycloak: {
    issuer: 'https://keycloak.test/realms/main',
    typ: 'JWT',
    options: { profile: 'lenient', clientIdClaim: 'azp', scopeSeparator: 'space' },
    client: 'azp',
    scope: 'scope',
    claims: (now) => ({
      typ: 'Bearer',
      jti: randomUUID(),
      auth_time: now,
      sid: randomUUID(),
      acr: '1',
      realm_access: { roles: ['offline_access'] },
      preferred_username: 'user',
    }),
  },
  auth0: {
    issuer: 'https://tenant.auth0.test/',
    typ: 'JWT',
    options: {
      profile: 'lenient',
      clientIdClaim: 'azp',
      scopeClaims: ['scope', 'permissions'],
      scopeSeparator: 'space',
    },
    client: 'azp',
    scope: 'scope',
    claims: (_, audience, issuer) => ({ aud: [audience, `${issuer}userinfo`].flat() }),
  },
  entra: {
    issuer: `https://login.entra.test/${ENTRA_TENANT}/v2.0`,
    typ: 'JWT',
    options: {
      profile: 'lenient',
      clientIdClaim: 'azp',
      scopeClaims: ['scp', 'roles'],
      scopeSeparator: 'space',
      tenantClaim: 'tid',
    },
    client: 'azp',
    scope: 'scp',
    claims: (now) => ({ nbf: now, azpacr: '1', oid: randomUUID(), tid: ENTRA_TENANT, uti: randomUUID(), ver: '2.0' }),
  },
  okta: {
    issuer: 'https://org.okta.test/oauth2/default',
    typ: undefined,
    options: { profile: 'lenient', clientIdClaim: 'cid', scopeClaims: ['scp'] },
    client: 'cid',
    scope: 'scp',
    scopeIsList: true,
    claims: (now) => ({ ver: 1, jti: `AT.${randomUUID()}`, uid: '00u123', auth_time: now }),
  },
  cognito: {
    issuer: 'https://cognito-idp.test/eu-central-1_Test',
    typ: undefined,
    options: { profile: 'lenient', scopeSeparator: 'space' },
    client: 'client_id',
    scope: 'scope',
    // `aud` is there where the client asked for a resource (RFC 8707), and the only one of these that a pool may leave out.
    claims: (now) => ({ token_use: 'access', version: 2, jti: randomUUID(), auth_time: now, username: 'user' }),
  },
}
