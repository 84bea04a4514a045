/**
 * What must not compile, and what must. Compiled by `npm run check` against the source and by `package.test.ts` against
 * the packed declarations; never run.
 */
import type { Request } from 'express'
import {
  type Auth,
  type ClaimReference,
  type ClaimValue,
  type Confirmed,
  createKeyring,
  createVerifier,
  type DecisionEvent,
  type Duration,
  type EffectiveGrant,
  type EffectiveIssuerPolicy,
  type GrantOptions,
  hasScope,
  isScope,
  type KeyRecord,
  type ResolveIssuer,
  type Scope,
  type ScopeRule,
  type TokenRevocation,
  type TokenSelector,
} from 'vantage-auth'
import * as onExpress from 'vantage-auth/express'
import * as onFastify from 'vantage-auth/fastify'
import * as onKoa from 'vantage-auth/koa'

/** Every type of a signature has a name that users can write. */
export interface Named {
  resolve: ResolveIssuer
  rule: ScopeRule
  claim: ClaimReference
  value: ClaimValue
  grant: GrantOptions
  policy: EffectiveIssuerPolicy
  shown: EffectiveGrant
  express: onExpress.AuthenticationOptions & onExpress.RevocationReceiverOptions & onExpress.RevocationSender
  koa: onKoa.AuthenticationOptions & onKoa.RevocationReceiverOptions & onKoa.RevocationSender
  fastify: onFastify.AuthenticationOptions & onFastify.RevocationReceiverOptions & onFastify.RevocationSender
}

/** A wrapper hands on what it was given, and gets what that led to. */
export const endKey = (id: string, confirm?: Duration) => createKeyring('memory:').revoke(id, { confirm })
export const ended: (id: string) => Promise<KeyRecord | Confirmed<KeyRecord>> = endKey
export const endTokens = (selector: TokenSelector, confirm?: Duration) =>
  createKeyring('memory:').revokeTokens(selector, { confirm })
export const endedTokens: (selector: TokenSelector) => Promise<TokenRevocation | Confirmed<TokenRevocation>> = endTokens
export const confirmed: Promise<Confirmed<KeyRecord>> = createKeyring('memory:').revoke('', { confirm: '2s' })
export const plain: Promise<KeyRecord> = createKeyring('memory:').revoke('', { reason: 'leaked' })
// @ts-expect-error whether it was to be confirmed is not known
export const unknown: (id: string) => Promise<KeyRecord> = endKey

export function mistakes(auth: Auth, request: Request, texts: string[]): void {
  // @ts-expect-error a misspelt scope
  onExpress.requireScope('jobs:wirte')
  // @ts-expect-error no scope
  onExpress.requireScope()
  // @ts-expect-error no scope
  hasScope(auth)
  // @ts-expect-error texts may be anything
  onExpress.requireScope(...(['jobs:read'] as string[]))
  // @ts-expect-error a list
  onExpress.requireScope(['jobs:read'])
  // @ts-expect-error a misspelt scope
  onKoa.requireScope('jobs:wirte')
  // @ts-expect-error no scope
  onKoa.requireAnyScope()
  // @ts-expect-error a misspelt scope
  onFastify.requireScope('jobs:wirte')
  // @ts-expect-error a list
  onFastify.requireAnyScope(['jobs:read'])
  // @ts-expect-error a misspelt scope
  hasScope(auth, 'jobs:wirte')
  // @ts-expect-error it is shared between requests
  auth.scopes = []
  // @ts-expect-error it is shared between requests
  auth.scopes.push('jobs:write')
  // @ts-expect-error it is shared between requests
  onExpress.getAuth(request).subject = 'root'
  // @ts-expect-error an unknown option
  createVerifier({ audiance: 'https://api.example.com' })
  // @ts-expect-error a symmetric algorithm is no algorithm here
  createVerifier({ algorithms: ['HS256'] })
  // @ts-expect-error only a token has claims
  void auth.claims
  // @ts-expect-error a misspelt scope of a new key
  void createKeyring('memory:').create({ subject: 'ci', scopes: ['jobs:raed'] })
  // @ts-expect-error texts from outside, before isScope() has looked at them
  void createKeyring('memory:').create({ subject: 'ci', scopes: texts })
  void createKeyring('memory:').create({ subject: 'ci', scopes: texts.filter(isScope) })
  // @ts-expect-error no scope of the vocabulary, until a user's declaration says so
  onExpress.requireScope('billing:read')
}

/** Scopes of which only the run time knows how many there are. */
export function lists(auth: Auth, scopes: Scope[], more: readonly Scope[]): unknown[] {
  return [
    onExpress.requireScope(...scopes),
    onExpress.requireAnyScope('jobs:read', ...more),
    onKoa.requireScope(...more),
    onFastify.requireScope(...scopes),
    hasScope(auth, ...scopes),
    hasScope(auth, ...(['jobs:read', 'jobs:write'] as const)),
  ]
}

/** `getAuth` is never undefined, `findAuth` may be. */
export const never: Auth = onExpress.getAuth({} as Request)
// @ts-expect-error nobody may have signed in
export const maybe: Auth = onExpress.findAuth({} as Request)

/** Every documented scope is one of the vocabulary. */
export const vocabulary: readonly Scope[] = [
  'jobs:read',
  'jobs:write',
  'clusters:read',
  'clusters:write',
  'storage:read',
  'storage:write',
  'teams:read',
  'teams:write',
]

/** Does not compile when an outcome is added or goes: dashboards and alerts name them. */
export function isRefusal({ outcome }: DecisionEvent): boolean {
  switch (outcome) {
    case 'accepted':
      return false
    case 'credentials_missing':
    case 'request_invalid':
    case 'token_invalid':
    case 'scope_insufficient':
    case 'authentication_insufficient':
    case 'unavailable':
      return true
  }
}
