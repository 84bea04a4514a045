import { randomUUID } from 'node:crypto'
import type { IssuerOptions } from '../config/issuer-options.js'
import { auth0 } from '../presets/auth0.js'
import { cognito } from '../presets/cognito.js'
import { entra } from '../presets/entra.js'
import { keycloak } from '../presets/keycloak.js'
import { okta } from '../presets/okta.js'

/** Whose access tokens a test issuer's look like. */
export type TestProvider = 'keycloak' | 'auth0' | 'entra' | 'okta' | 'cognito'

/** How the access tokens of one kind of issuer look. */
export interface TokenShape {
  readonly issuer: string
  /** The `typ` of the header; `undefined` where there is none. */
  readonly typ: string | undefined
  /** What the provider's preset returns; `undefined` where the defaults of a verifier accept the tokens. */
  entry?(given: {
    readonly issuer: string
    readonly audience: string | readonly string[]
    readonly clients: readonly string[]
  }): IssuerOptions
  /** The claim that names the client. */
  readonly client: string
  /** The claim that has the scopes. */
  readonly scope: string
  /** Whether that claim is a list. */
  readonly scopeIsList?: true
  /** The claims that have the scopes where that one is absent. */
  readonly otherScopes?: readonly string[]
  /** The claim that names the subject besides `sub`, for the preset. */
  readonly subject?: string
  /** Whether there is no `aud`: the client takes its place. */
  readonly withoutAudience?: true
  /** Claims besides `iss`, `aud`, `sub`, `iat`, `exp`, client and scopes. `nowSeconds` is their time. */
  claims(nowSeconds: number, audience: string | readonly string[], issuer: string): Readonly<Record<string, unknown>>
}

/** RFC 9068, the shape of the Vantage API's own tokens. */
export const RFC9068: TokenShape = {
  issuer: 'https://issuer.test',
  typ: 'at+jwt',
  client: 'client_id',
  scope: 'scope',
  otherScopes: ['scp'],
  claims: () => ({ jti: randomUUID() }),
}

const ENTRA_TENANT = '11111111-2222-3333-4444-555555555555'

/** The tenant of an issuer of Entra ID, whose tokens name it in `tid`; of another URL any. */
function entraTenantOf(issuer: string): string {
  return /\/([^/]+)\/(?:v2\.0)?$/.exec(issuer)?.[1] ?? ENTRA_TENANT
}

/** What the vendors document, as far as a resource server sees it. */
export const PROVIDERS: { readonly [P in TestProvider]: TokenShape } = {
  keycloak: {
    issuer: 'https://keycloak.test/realms/main',
    typ: 'JWT',
    entry: ({ audience }) => keycloak({ issuer: 'https://keycloak.test/realms/main', audience }),
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
    entry: ({ audience }) => auth0({ domain: 'tenant.auth0.test', audience }),
    client: 'azp',
    scope: 'scope',
    otherScopes: ['permissions'],
    claims: (_, audience, issuer) => ({ aud: [audience, `${issuer}userinfo`].flat() }),
  },
  entra: {
    issuer: `https://login.microsoftonline.com/${ENTRA_TENANT}/v2.0`,
    typ: 'JWT',
    // Its one tenant written out, so that the issuer can be another.
    entry: ({ issuer, audience }) => ({
      ...entra({ tenants: [ENTRA_TENANT], audience }),
      tenants: undefined,
      required: { tid: entraTenantOf(issuer) },
    }),
    client: 'azp',
    scope: 'scp',
    otherScopes: ['roles'],
    subject: 'oid',
    claims: (now, _, issuer) => ({
      nbf: now,
      azpacr: '1',
      tid: entraTenantOf(issuer),
      uti: randomUUID(),
      ver: '2.0',
    }),
  },
  okta: {
    issuer: 'https://org.okta.test/oauth2/default',
    typ: undefined,
    entry: ({ audience }) => okta({ issuer: 'https://org.okta.test/oauth2/default', audience }),
    client: 'cid',
    scope: 'scp',
    scopeIsList: true,
    claims: (now) => ({ ver: 1, jti: `AT.${randomUUID()}`, uid: '00u123', auth_time: now }),
  },
  cognito: {
    issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Test',
    typ: undefined,
    entry: ({ clients }) => cognito({ region: 'eu-central-1', userPoolId: 'eu-central-1_Test', clients }),
    client: 'client_id',
    scope: 'scope',
    withoutAudience: true,
    claims: (now) => ({
      token_use: 'access',
      version: 2,
      jti: randomUUID(),
      origin_jti: randomUUID(),
      auth_time: now,
      username: 'user',
    }),
  },
}
