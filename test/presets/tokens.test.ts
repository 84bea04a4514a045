import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Preset } from './page.js'
import { type Claims, createProvider, type Place, type Provider, type Seen } from './provider.js'

/** What becomes of a token: a reason, or what is seen of it in place of what is seen of the vendor's own token. */
type Then = string | Partial<Seen>

/** A claim with another value, without it, and with a value of another type. */
interface Row {
  readonly changed: readonly [value: unknown, then: Then]
  readonly removed: Then
  readonly otherType: readonly [value: unknown, then: Then]
}

/** A token of the provider that is no access token for this API, or none any more. */
type Other = readonly [what: string, claims: Claims, then: string, header?: Claims]

interface Table {
  readonly preset: Preset
  readonly header: Claims
  readonly places: readonly Place[]
  readonly seen: Seen
  /** One for every claim of the token on the provider's page, in its order. */
  readonly rows: Readonly<Record<string, Row>>
  /** More that can be in a token: the claim with its value, and what is seen then. */
  readonly added: readonly (readonly [claims: Claims, then: Then])[]
  /** Claims in place of those of the token; `undefined` leaves one out. */
  readonly others: readonly Other[]
}

const SAME = {}
const ID_TOKEN_CLAIMS = { nonce: 'n-0S6_WzA2Mj', at_hash: 'MTIzNDU2Nzg5MDEyMzQ1Ng' }

/** A claim that says nothing of who calls and what for: whatever it is, the token is accepted as it was. */
const ignored = (changed: unknown, otherType: unknown): Row => ({
  changed: [changed, SAME],
  removed: SAME,
  otherType: [otherType, SAME],
})
const ISS: Row = { changed: ['https://evil.example.com', 'issuer'], removed: 'issuer', otherType: [42, 'issuer'] }
const AUD: Row = { changed: ['https://other.example.com', 'audience'], removed: 'audience', otherType: [42, 'claims'] }
const EXP: Row = { changed: [1, 'expired'], removed: 'claims', otherType: ['never', 'claims'] }
const NBF: Row = { changed: [4_000_000_000, 'not_active'], removed: SAME, otherType: ['soon', 'claims'] }
const IAT: Row = { changed: [4_000_000_000, 'not_active'], removed: SAME, otherType: ['now', 'claims'] }
const JTI: Row = { changed: ['other', { tokenId: 'other' }], removed: { tokenId: null }, otherType: [42, 'claims'] }
const SUB: Row = { changed: ['other', { subject: 'other' }], removed: 'claims', otherType: [42, 'claims'] }
/** A text, or nothing: `sid` unless an option names another claim. */
const SID: Row = {
  changed: ['other', { sessionId: 'other' }],
  removed: { sessionId: null },
  otherType: [42, { sessionId: null }],
}
/** The claim that names the client, which ID tokens lack. */
const CLIENT: Row = { changed: ['other', { clientId: 'other' }], removed: 'claims', otherType: [42, 'claims'] }

const ENTRA_TENANT = 'aaaabbbb-0000-cccc-1111-dddd2222eeee'
const ENTRA_ISSUER = `https://login.microsoftonline.com/${ENTRA_TENANT}/v2.0`
const COGNITO_ISSUER = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123xyz'

const TABLES: readonly Table[] = [
  {
    preset: 'keycloak',
    header: { typ: 'JWT' },
    places: [
      {
        issuer: 'https://sso.example.com/realms/main',
        metadata: 'https://sso.example.com/realms/main/.well-known/openid-configuration',
        jwksUri: 'https://sso.example.com/realms/main/protocol/openid-connect/certs',
      },
    ],
    seen: {
      issuer: 'https://sso.example.com/realms/main',
      subject: '36fa0f91-f94d-4a0c-afed-6b7d952e47da',
      clientId: 'web',
      tenant: null,
      scopes: ['email', 'profile', 'jobs:read', 'offline_access', 'jobs:write'],
      sessionId: '2a88c258-f73a-4103-b862-e1fbd8f4e04e',
      tokenId: 'd58f5dc8-fd8f-462b-8a19-716f8f83985b',
    },
    rows: {
      iss: ISS,
      aud: { ...AUD, changed: ['account', 'audience'] },
      sub: SUB,
      typ: { changed: ['ID', 'type'], removed: 'claims', otherType: [42, 'type'] },
      azp: CLIENT,
      sid: SID,
      acr: { changed: ['2', SAME], removed: SAME, otherType: [['1'], SAME] },
      scope: {
        changed: ['jobs:read', { scopes: ['jobs:read', 'offline_access', 'jobs:write'] }],
        removed: { scopes: ['offline_access', 'jobs:write'] },
        otherType: [42, 'claims'],
      },
      realm_access: {
        changed: [{ roles: ['admin'] }, { scopes: ['email', 'profile', 'jobs:read', 'admin'] }],
        removed: { scopes: ['email', 'profile', 'jobs:read'] },
        otherType: ['jobs:write', 'claims'],
      },
      resource_access: ignored({ 'reports-api': { roles: ['admin'] } }, 'admin'),
      jti: JTI,
      iat: IAT,
      exp: EXP,
    },
    added: [
      [{ aud: ['account', 'https://api.example.com'] }, SAME],
      [{ realm_access: { roles: 'admin' } }, { scopes: ['email', 'profile', 'jobs:read', 'admin'] }],
      [{ realm_access: { roles: [42] } }, 'claims'],
      [{ realm_access: ['admin'] }, 'claims'],
      [{ realm_access: {} }, { scopes: ['email', 'profile', 'jobs:read'] }],
    ],
    others: [
      ['an ID token', { typ: 'ID', ...ID_TOKEN_CLAIMS, aud: 'web', scope: undefined }, 'type'],
      ['an ID token for this audience', { typ: 'ID', scope: undefined }, 'type'],
      ['a refresh token', { typ: 'Refresh', aud: 'https://sso.example.com/realms/main' }, 'type'],
      ['a refresh token for this audience', { typ: 'Refresh' }, 'type'],
      ['an offline token', { typ: 'Offline' }, 'type'],
      [
        'a logout token',
        { typ: 'Logout', events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
        'type',
      ],
      ['a logout token by its header', {}, 'type', { typ: 'logout+jwt' }],
      ['a DPoP-bound token', { cnf: { jkt: 'x' } }, 'sender_constrained'],
    ],
  },
  {
    preset: 'auth0',
    header: { typ: 'JWT' },
    places: [
      {
        issuer: 'https://acme.eu.auth0.com/',
        metadata: 'https://acme.eu.auth0.com/.well-known/openid-configuration',
        jwksUri: 'https://acme.eu.auth0.com/.well-known/jwks.json',
      },
    ],
    seen: {
      issuer: 'https://acme.eu.auth0.com/',
      subject: 'auth0|123456',
      clientId: 'my_client_id',
      tenant: null,
      scopes: ['openid', 'profile', 'jobs:read'],
      sessionId: null,
      tokenId: null,
    },
    rows: {
      iss: { ...ISS, changed: ['https://acme.eu.auth0.com', 'issuer'] },
      sub: SUB,
      aud: { ...AUD, changed: ['https://acme.eu.auth0.com/userinfo', 'audience'] },
      azp: CLIENT,
      iat: IAT,
      exp: EXP,
      scope: { changed: ['jobs:read', { scopes: ['jobs:read'] }], removed: { scopes: [] }, otherType: [42, 'claims'] },
    },
    added: [
      [{ permissions: ['jobs:write'] }, SAME],
      [{ scope: undefined, permissions: ['jobs:write'] }, { scopes: ['jobs:write'] }],
      [{ scope: undefined, permissions: [42] }, 'claims'],
      [{ scope: undefined, permissions: { jobs: true } }, 'claims'],
      [
        { azp: undefined, client_id: 'web', jti: '73WakrfVbNJBaAmhQtEeDv' },
        { clientId: 'web', tokenId: '73WakrfVbNJBaAmhQtEeDv' },
      ],
      [{ sub: 'web@clients', gty: 'client-credentials' }, { subject: 'web@clients' }],
    ],
    others: [
      ['an ID token', { aud: 'my_client_id', azp: undefined, scope: undefined, name: 'Jane Doe' }, 'audience'],
      ['an ID token for this audience', { azp: undefined, scope: undefined, sid: 's' }, 'claims'],
      ['an ID token with a nonce', { azp: undefined, scope: undefined, nonce: 'n' }, 'type'],
      [
        'a logout token',
        { aud: 'my_client_id', events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
        'type',
      ],
      ['a token of another tenant', { iss: 'https://evil.eu.auth0.com/' }, 'issuer'],
    ],
  },
  {
    preset: 'entra',
    header: { typ: 'JWT' },
    places: [
      {
        issuer: ENTRA_ISSUER,
        metadata: `${ENTRA_ISSUER}/.well-known/openid-configuration`,
        jwksUri: `https://login.microsoftonline.com/${ENTRA_TENANT}/discovery/v2.0/keys`,
      },
    ],
    seen: {
      issuer: ENTRA_ISSUER,
      subject: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
      clientId: '00001111-aaaa-2222-bbbb-3333cccc4444',
      tenant: ENTRA_TENANT,
      scopes: ['access_as_user'],
      sessionId: null,
      tokenId: null,
    },
    rows: {
      aud: { ...AUD, changed: ['00000003-0000-0000-c000-000000000000', 'audience'] },
      iss: {
        ...ISS,
        changed: ['https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', 'issuer'],
      },
      iat: IAT,
      nbf: NBF,
      exp: EXP,
      aio: ignored('x', 42),
      azp: CLIENT,
      azpacr: ignored('1', 1),
      name: ignored('x', 42),
      oid: SUB,
      preferred_username: ignored('x', 42),
      rh: ignored('x', 42),
      scp: { changed: ['Jobs.Read', { scopes: ['Jobs.Read'] }], removed: { scopes: [] }, otherType: [42, 'claims'] },
      // The subject is oid.
      sub: { changed: ['other', SAME], removed: 'claims', otherType: [42, 'claims'] },
      tid: {
        changed: ['9188040d-6c67-4c5b-b112-36a304b66dad', 'claims'],
        removed: 'claims',
        otherType: [42, 'claims'],
      },
      uti: ignored('x', 42),
      ver: ignored('1.0', 2),
    },
    added: [
      [{ scp: undefined, roles: ['Jobs.Read.All'], idtyp: 'app' }, { scopes: ['Jobs.Read.All'] }],
      [{ roles: ['Admin'] }, SAME],
      [{ scp: undefined, roles: { Admin: true } }, 'claims'],
      [{ sid: 's' }, { sessionId: 's' }],
    ],
    others: [
      [
        'an ID token',
        { aud: '00001111-aaaa-2222-bbbb-3333cccc4444', azp: undefined, azpacr: undefined, scp: undefined },
        'audience',
      ],
      [
        'an ID token of an application that is its own API',
        { azp: undefined, azpacr: undefined, scp: undefined, roles: ['Admin'] },
        'claims',
      ],
      ['an ID token with nonce and at_hash', { azp: undefined, scp: undefined, ...ID_TOKEN_CLAIMS }, 'type'],
      [
        'a token of version 1',
        { iss: `https://sts.windows.net/${ENTRA_TENANT}/`, azp: undefined, appid: 'a', ver: '1.0' },
        'issuer',
      ],
    ],
  },
  {
    preset: 'okta',
    header: {},
    places: [
      {
        issuer: 'https://acme.okta.com/oauth2/default',
        metadata: 'https://acme.okta.com/oauth2/default/.well-known/openid-configuration',
        jwksUri: 'https://acme.okta.com/oauth2/default/v1/keys',
      },
    ],
    seen: {
      issuer: 'https://acme.okta.com/oauth2/default',
      subject: 'joe.user@example.com',
      clientId: '0oaoesxtxmPf08QHk0h7',
      tenant: null,
      scopes: ['openid', 'jobs:read'],
      sessionId: null,
      tokenId: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
    },
    rows: {
      ver: ignored(2, '1'),
      jti: JTI,
      iss: { ...ISS, changed: ['https://acme.okta.com', 'issuer'] },
      aud: { ...AUD, changed: ['https://acme.okta.com', 'audience'] },
      sub: SUB,
      iat: IAT,
      exp: EXP,
      cid: CLIENT,
      // Another name of the subject, for revocations.
      uid: { changed: ['00uother', SAME], removed: SAME, otherType: [42, 'claims'] },
      scp: {
        changed: [['jobs:write'], { scopes: ['jobs:write'] }],
        removed: { scopes: [] },
        otherType: [[42], 'claims'],
      },
      auth_time: { changed: [1, SAME], removed: SAME, otherType: ['now', SAME] },
    },
    added: [[{ uid: undefined, sub: '0oaoesxtxmPf08QHk0h7' }, { subject: '0oaoesxtxmPf08QHk0h7' }]],
    others: [
      [
        'an ID token',
        {
          jti: 'ID.T-ngjNl',
          aud: '0oaoesxtxmPf08QHk0h7',
          cid: undefined,
          uid: undefined,
          scp: undefined,
          amr: ['pwd'],
          idp: '00o',
        },
        'audience',
      ],
      [
        'an ID token for this audience',
        { jti: 'ID.T-ngjNl', cid: undefined, uid: undefined, scp: undefined, amr: ['pwd'], idp: '00o' },
        'claims',
      ],
      ['an ID token with nonce and at_hash', { jti: 'ID.T-ngjNl', cid: undefined, ...ID_TOKEN_CLAIMS }, 'type'],
    ],
  },
  {
    preset: 'cognito',
    header: {},
    places: [
      {
        issuer: COGNITO_ISSUER,
        metadata: `${COGNITO_ISSUER}/.well-known/openid-configuration`,
        jwksUri: `${COGNITO_ISSUER}/.well-known/jwks.json`,
      },
    ],
    seen: {
      issuer: COGNITO_ISSUER,
      subject: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      clientId: '7kbbg4example1234567890ab',
      tenant: null,
      scopes: ['openid', 'https://api.example.com/jobs.read'],
      sessionId: 'cccccccc-dddd-eeee-ffff-000000000000',
      tokenId: 'eeeeeeee-ffff-0000-1111-222222222222',
    },
    rows: {
      sub: SUB,
      device_key: ignored('x', 42),
      'cognito:groups': ignored(['admin'], 'admin'),
      iss: { ...ISS, changed: ['https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other', 'issuer'] },
      version: ignored(1, '2'),
      client_id: { changed: ['other', 'audience'], removed: 'audience', otherType: [42, 'claims'] },
      origin_jti: { ...SID, otherType: [42, 'claims'] },
      event_id: ignored('x', 42),
      token_use: { changed: ['id', 'type'], removed: 'claims', otherType: [42, 'type'] },
      scope: { changed: ['openid', { scopes: ['openid'] }], removed: { scopes: [] }, otherType: [42, 'claims'] },
      auth_time: { changed: [1, SAME], removed: SAME, otherType: ['now', SAME] },
      exp: EXP,
      iat: IAT,
      jti: JTI,
      username: ignored('x', 42),
    },
    added: [
      [{ aud: 'https://api.vantage.omnivector.solutions' }, SAME],
      [{ aud: 'https://other.example.com' }, 'audience'],
      [{ aud: '7kbbg4example1234567890ab' }, 'audience'],
      [{ aud: [] }, 'audience'],
      [{ aud: 42 }, 'claims'],
      [{ aud: null }, 'claims'],
    ],
    others: [
      [
        'an ID token',
        { token_use: 'id', aud: '7kbbg4example1234567890ab', client_id: undefined, scope: undefined },
        'type',
      ],
      ['an ID token that names a client', { token_use: 'id', scope: undefined }, 'type'],
      ['an ID token with a nonce', { ...ID_TOKEN_CLAIMS }, 'type'],
    ],
  },
  {
    preset: 'googleServiceAccount',
    header: { typ: 'JWT' },
    places: [
      {
        issuer: 'https://accounts.google.com',
        metadata: 'https://accounts.google.com/.well-known/openid-configuration',
        jwksUri: 'https://www.googleapis.com/oauth2/v3/certs',
      },
    ],
    seen: {
      issuer: 'https://accounts.google.com',
      subject: '113774264463038321964',
      clientId: '113774264463038321964',
      tenant: null,
      scopes: ['jobs:read'],
      sessionId: null,
      tokenId: null,
    },
    rows: {
      aud: { ...AUD, changed: ['32555940559.apps.googleusercontent.com', 'audience'] },
      azp: { ...CLIENT, removed: { clientId: null } },
      // The grant is by sub.
      email: ignored('x@acme.iam.gserviceaccount.com', 42),
      email_verified: ignored(false, 'true'),
      exp: EXP,
      iat: IAT,
      iss: { ...ISS, changed: ['accounts.google.com', 'issuer'] },
      sub: { changed: ['108', { subject: '108', scopes: [] }], removed: 'claims', otherType: [42, 'claims'] },
    },
    added: [[{ google: { compute_engine: { project_id: 'acme' } } }, SAME]],
    others: [
      ['the ID token of a person', { aud: '32555940559.apps.googleusercontent.com', nonce: 'n' }, 'type'],
      ['the ID token of a person, from a code', { at_hash: 'x' }, 'type'],
      ['an ID token with a nonce', { nonce: 'n' }, 'type'],
      ['a token for another service', { aud: 'https://api.example.com/' }, 'audience'],
    ],
  },
  {
    preset: 'kubernetes',
    header: {},
    places: [
      {
        issuer: 'https://kubernetes.default.svc.cluster.local',
        metadata: 'https://kubernetes.default.svc.cluster.local/.well-known/openid-configuration',
        jwksUri: 'https://172.18.0.2:6443/openid/v1/jwks',
      },
    ],
    seen: {
      issuer: 'https://kubernetes.default.svc.cluster.local',
      subject: 'system:serviceaccount:jobs:writer',
      clientId: null,
      tenant: 'jobs',
      scopes: ['jobs:read', 'jobs:write'],
      sessionId: null,
      tokenId: 'ea28ed49-2e11-4280-9ec5-bc3d1d84661a',
    },
    rows: {
      aud: { ...AUD, changed: [['https://kubernetes.default.svc.cluster.local'], 'audience'] },
      exp: EXP,
      iat: IAT,
      iss: { ...ISS, changed: ['kubernetes/serviceaccount', 'issuer'] },
      jti: JTI,
      'kubernetes.io': {
        changed: [{ namespace: 'other' }, { tenant: 'other' }],
        removed: { tenant: null },
        otherType: ['jobs', 'claims'],
      },
      nbf: NBF,
      sub: {
        changed: [
          'system:serviceaccount:jobs:reader',
          { subject: 'system:serviceaccount:jobs:reader', scopes: ['jobs:read'] },
        ],
        removed: 'claims',
        otherType: [42, 'claims'],
      },
    },
    added: [
      [
        { sub: 'system:serviceaccount:jobs-evil:writer' },
        { subject: 'system:serviceaccount:jobs-evil:writer', scopes: [] },
      ],
      [{ 'kubernetes.io': { namespace: 42 } }, 'claims'],
      [{ 'kubernetes.io': [] }, 'claims'],
      [{ 'kubernetes.io': undefined, 'kubernetes.io/serviceaccount/namespace': 'jobs' }, { tenant: null }],
    ],
    others: [
      ['a token for the API server', { aud: ['https://kubernetes.default.svc'] }, 'audience'],
      [
        'a token of a secret, without an end',
        { iss: 'kubernetes/serviceaccount', exp: undefined, aud: undefined },
        'issuer',
      ],
      ['a token without an end', { exp: undefined }, 'claims'],
    ],
  },
  {
    preset: 'githubActions',
    header: { typ: 'JWT', x5t: 'example-thumbprint' },
    places: [
      {
        issuer: 'https://token.actions.githubusercontent.com',
        metadata: 'https://token.actions.githubusercontent.com/.well-known/openid-configuration',
        jwksUri: 'https://token.actions.githubusercontent.com/.well-known/jwks',
      },
    ],
    seen: {
      issuer: 'https://token.actions.githubusercontent.com',
      subject: 'repo:octo-org/octo-repo:environment:prod',
      clientId: null,
      tenant: null,
      scopes: ['jobs:write'],
      sessionId: null,
      tokenId: 'example-id',
    },
    rows: {
      jti: JTI,
      sub: {
        changed: [
          'repo:octo-org/octo-repo:ref:refs/heads/main',
          { subject: 'repo:octo-org/octo-repo:ref:refs/heads/main', scopes: ['jobs:read'] },
        ],
        removed: 'claims',
        otherType: [42, 'claims'],
      },
      environment: ignored('dev', 42),
      aud: { ...AUD, changed: ['https://github.com/octo-org', 'audience'] },
      ref: ignored('refs/heads/x', 42),
      sha: ignored('x', 42),
      repository: ignored('x/y', 42),
      repository_owner: ignored('x', 42),
      actor_id: ignored('13', 42),
      repository_visibility: ignored('public', 42),
      // Part of the grants: without it there is none.
      repository_id: { changed: ['75', { scopes: [] }], removed: { scopes: [] }, otherType: [74, { scopes: [] }] },
      repository_owner_id: ignored('66', 42),
      run_id: ignored('x', 42),
      run_number: ignored('11', 42),
      run_attempt: ignored('3', 42),
      runner_environment: ignored('self-hosted', 42),
      actor: ignored('x', 42),
      workflow: ignored('x', 42),
      head_ref: ignored('x', 42),
      base_ref: ignored('x', 42),
      event_name: ignored('pull_request', 42),
      ref_type: ignored('tag', 42),
      job_workflow_ref: ignored('x', 42),
      iss: { ...ISS, changed: ['https://token.actions.githubusercontent.com/evil', 'issuer'] },
      nbf: NBF,
      exp: EXP,
      iat: IAT,
    },
    added: [
      [
        { sub: 'repo:octo-org/octo-repo:pull_request' },
        { subject: 'repo:octo-org/octo-repo:pull_request', scopes: [] },
      ],
      [
        { sub: 'repo:evil/octo-repo:environment:prod' },
        { subject: 'repo:evil/octo-repo:environment:prod', scopes: [] },
      ],
    ],
    others: [
      ['an ID token with a nonce', { nonce: 'n' }, 'type'],
      ['an ID token with at_hash', { at_hash: 'x' }, 'type'],
      ['a token for another service', { aud: 'sts.amazonaws.com' }, 'audience'],
    ],
  },
  {
    preset: 'spiffe',
    header: { typ: 'JWT' },
    places: [{ issuer: '', metadata: '', jwksUri: 'https://spire.acme.org/keys' }],
    seen: {
      issuer: 'spiffe://acme.org',
      subject: 'spiffe://acme.org/jobs/worker',
      clientId: null,
      tenant: null,
      scopes: ['jobs:read'],
      sessionId: null,
      tokenId: null,
    },
    rows: {
      sub: { changed: ['spiffe://evil.org/jobs/worker', 'issuer'], removed: 'issuer', otherType: [42, 'issuer'] },
      aud: { ...AUD, changed: [['spiffe://acme.org/other'], 'audience'] },
      exp: EXP,
      iat: IAT,
    },
    added: [
      [{ sub: 'spiffe://acme.org/web' }, { subject: 'spiffe://acme.org/web', scopes: [] }],
      [{ jti: 'x' }, { tokenId: 'x' }],
    ],
    others: [
      ['a token with an iss', { iss: 'https://spire.acme.org' }, 'issuer'],
      ['a token whose iss is the trust domain', { iss: 'spiffe://acme.org' }, 'issuer'],
      ['a domain that begins like it', { sub: 'spiffe://acme.org.evil.com/jobs/worker' }, 'issuer'],
      ['the trust domain itself', { sub: 'spiffe://acme.org' }, 'issuer'],
      ['an ID token', { nonce: 'n' }, 'type'],
    ],
  },
]

test('there is a table for every preset', async () => {
  const { PAGES } = await import('./page.js')
  expect(TABLES.map(({ preset }) => preset)).toEqual(Object.keys(PAGES))
})

describe.each(TABLES)('$preset', ({ preset, header, places, seen, rows, added, others }) => {
  let provider: Provider
  beforeAll(() => {
    provider = createProvider(preset, { header, places, use: preset === 'spiffe' ? 'jwt-svid' : 'sig' })
  })
  afterAll(() => provider.close())

  const expected = (then: Then) => (typeof then === 'string' ? then : { ...seen, ...then })

  test('accepts the token of its page, with keys from where the vendor serves them', async () => {
    expect(await provider.outcome(provider.sign(provider.token))).toEqual(seen)
    expect([...provider.asked]).toContain(places[0]?.jwksUri)
  })

  test('has a row for every claim of the token', () => {
    expect(Object.keys(rows)).toEqual(Object.keys(provider.token))
  })

  const mutations = Object.entries(rows).flatMap(([claim, { changed, removed, otherType }]) => [
    { claim, how: 'changed', value: changed[0], outcome: changed[1] },
    { claim, how: 'removed', value: undefined, outcome: removed },
    { claim, how: 'of another type', value: otherType[0], outcome: otherType[1] },
  ])

  test.each(mutations)('$claim $how', async ({ claim, value, outcome }) => {
    // What is named otherwise must differ, and in its type where the row says so.
    expect(value).not.toEqual(provider.token[claim])
    expect(await provider.outcome(provider.sign({ ...provider.token, [claim]: value }))).toEqual(expected(outcome))
  })

  test('every row of another type has one', () => {
    for (const [claim, row] of Object.entries(rows)) {
      expect(kindOf(row.otherType[0]), claim).not.toBe(kindOf(provider.token[claim]))
    }
  })

  test.each([...added])('what else can be there: %j', async (claims, then) => {
    expect(await provider.outcome(provider.sign({ ...provider.token, ...claims }))).toEqual(expected(then))
  })

  const refused = others.map(([what, claims, reason, over]) => ({ what, claims, reason, over }))

  test.each(refused)('refuses $what', async ({ claims, reason, over }) => {
    expect(await provider.outcome(provider.sign({ ...provider.token, ...claims }, over))).toBe(reason)
  })

  test.each([
    ['an opaque token', 'v1.MRrtzGzPJ2wQ'],
    ['an opaque refresh token', 'GEbRxBN6edjnXbL'],
    ['an encrypted token', 'eyJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ.AAAA.AAAA.AAAA.AAAA'],
  ])('refuses %s', async (_, credential) => {
    expect(await provider.outcome(credential)).toBe('malformed')
  })

  test('refuses a token that is signed with a shared secret, as refresh tokens of Keycloak are', async () => {
    expect(await provider.outcome(provider.sign(provider.token, { alg: 'HS512' }))).toBe('algorithm')
  })

  test('refuses a token of another kind by its header', async () => {
    for (const typ of ['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'id+jwt']) {
      expect(await provider.outcome(provider.sign(provider.token, { typ })), typ).toBe('type')
    }
  })
})

function kindOf(value: unknown): string {
  return Array.isArray(value) ? `list of ${typeof value[0]}` : typeof value
}
