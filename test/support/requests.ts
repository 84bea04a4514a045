/**
 * The request table of the adapters: what is asked of which service, and what must come over the wire. Without a test
 * runner, since `unhandled-rejections.ts` runs it as well.
 */
import { createKeyring, createVerifier, type KeyStore, memoryKeyStore, type Verifier } from 'vantage-auth'
import { digestApiKey, generateApiKey } from '../../src/api-key/format.js'
import {
  type Call,
  type Framework,
  listen,
  type Route,
  type Running,
  type Service,
  type WireAnswer,
  type WireRequest,
} from './frameworks.js'
import { compact, createTestIssuer, hmacSigner } from './tokens.js'

export interface Row {
  readonly name: string
  readonly service: keyof typeof SERVICES
  readonly request: WireRequest
  readonly answer: WireAnswer
  /** What `Retry-After` may be besides, where the time to the next attempt is drawn by lot. */
  readonly retryAfter?: readonly string[]
}

/** The headers that are ours. The rest is the framework's and Node's. */
export const OUR_HEADERS = [
  'www-authenticate',
  'cache-control',
  'content-type',
  'content-length',
  'retry-after',
  'etag',
] as const

const INVALID_TOKEN = '{"error":"invalid_token","error_description":"The access token provided is invalid"}'
const JSON_UTF8 = 'application/json; charset=utf-8'

function answer(status: number, body: string, headers: Record<string, string>): WireAnswer {
  return {
    status,
    headers: {
      'cache-control': 'no-store',
      'content-type': JSON_UTF8,
      'content-length': String(Buffer.byteLength(body)),
      ...headers,
    },
    body,
  }
}

export const missing = (realm = 'vantage') =>
  answer(401, INVALID_TOKEN, { 'www-authenticate': `Bearer realm="${realm}"` })
export const invalid = (realm = 'vantage') =>
  answer(401, INVALID_TOKEN, {
    'www-authenticate': `Bearer realm="${realm}", error="invalid_token", error_description="The access token provided is invalid"`,
  })
export const malformed = answer(400, '{"error":"invalid_request","error_description":"The request is malformed"}', {
  'www-authenticate': 'Bearer realm="vantage", error="invalid_request", error_description="The request is malformed"',
})
export const forbidden = (scope: string, realm = 'vantage') =>
  answer(
    403,
    '{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided"}',
    {
      'www-authenticate': `Bearer realm="${realm}", error="insufficient_scope", error_description="The request requires higher privileges than provided", scope="${scope}"`,
    },
  )
/** @param demanded what the challenge says besides */
export const insufficientAuthentication = (demanded: string) =>
  answer(
    401,
    '{"error":"insufficient_user_authentication","error_description":"The request requires a different or more recent authentication"}',
    {
      'www-authenticate': `Bearer realm="vantage", error="insufficient_user_authentication", error_description="The request requires a different or more recent authentication", ${demanded}`,
    },
  )
export const unavailable = answer(
  503,
  '{"error":"temporarily_unavailable","error_description":"The credentials cannot be verified at the moment"}',
  { 'retry-after': '1' },
)
const tested = (user: string, scopes: readonly string[], expiresAt: string | null) =>
  answer(200, JSON.stringify({ authenticated: true, user_id: user, scopes, expires_at: expiresAt }), {})
/** What a handler of the application answers. */
export const handled = (body: string): WireAnswer => ({
  status: 200,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(body.length) },
  body,
})
/** A mistake of the application, in the framework's own words. */
const failed: WireAnswer = { status: 500, headers: {}, body: '' }
const withoutBody = (of: WireAnswer): WireAnswer => ({ ...of, body: '' })

const issuer = createTestIssuer()
/** Signs with a key of its own what claims to be from the issuer. */
const impostor = createTestIssuer()
const now = Math.floor(Date.now() / 1000)

async function createCredentials() {
  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  const [read, write, endless, revoked] = await Promise.all([
    keyring.create({ subject: 'svc_read', scopes: ['jobs:read', 'clusters:read'] }),
    keyring.create({ subject: 'svc_write', scopes: ['jobs:write'] }),
    keyring.create({ subject: 'svc_endless', scopes: ['storage:read'], expiresIn: null }),
    keyring.create({ subject: 'svc_revoked', scopes: ['jobs:read'] }),
  ])
  await keyring.revoke(revoked.record.id)
  const expired = generateApiKey('live')
  await store.insert({
    id: expired.id,
    digest: digestApiKey(expired.key),
    subject: 'svc_expired',
    tenant: null,
    name: null,
    environment: 'live',
    scopes: ['jobs:read'],
    createdAt: Date.now() - 2000,
    createdBy: null,
    expiresAt: Date.now() - 1000,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    replaces: null,
    replacedBy: null,
  })
  return { store, read: read.key, write: write.key, endless: endless.key, revoked: revoked.key, expired: expired.key }
}

export const keys = await createCredentials()
const brokenKey = `${keys.read.slice(0, 30)}${keys.read[30] === 'x' ? 'y' : 'x'}${keys.read.slice(31)}`
export const token = issuer.mint({ exp: 4102444799 })
export const options = { ...issuer.options, keys: keys.store }

/** Another middleware that takes the place where handlers look. */
const overwrite = (call: Call) => {
  call.auth = { subject: 'root', scopes: ['jobs:read', 'jobs:write', 'storage:write'] }
}

const ROUTES = (of: () => Framework['adapter']): readonly Route[] => [
  { path: '/v1/jobs', all: ['jobs:read'], answer: () => 'jobs' },
  { method: 'post', path: '/v1/jobs', all: ['jobs:write'], answer: () => 'created' },
  { path: '/both', all: ['clusters:read', 'jobs:read', 'storage:write'], answer: () => 'both' },
  { path: '/any', any: ['teams:write', 'jobs:write'], answer: () => 'any' },
  { path: '/payout', signIn: { acr: ['phr', 'mfa'], maxAgeSeconds: 60 }, answer: () => 'paid' },
  { path: '/open', answer: (call) => `open to ${of().findAuth(call.request)?.subject ?? 'nobody'}` },
  { path: '/view', answer: (call) => `seen ${(call.auth as { subject?: string } | undefined)?.subject ?? 'nobody'}` },
  { path: '/me', answer: (call) => of().getAuth(call.request).subject },
  { path: '/v1/auth/test' },
]

const settled = (value: Promise<unknown>) => value as unknown as boolean
/** Does what an observer must not do, in as many ways as there are. */
const meddle = (error: {
  status: number
  statusCode: number
  message: string
  expose: boolean
  headers: Record<string, string>
}) => {
  error.status = 200
  error.statusCode = 204
  error.expose = false
  error.message = 'welcome'
  error.headers['WWW-Authenticate'] = 'Basic'
  error.headers = { 'X-Own': 'yes' }
}

/** What an error handler of the application sees of an error. */
const show = (error: unknown) => {
  const { status, statusCode, expose, message } = error as Parameters<typeof meddle>[0]
  return { status, body: JSON.stringify([status, statusCode, expose, message]) }
}

/** An issuer that nobody answers for. */
const dead = createTestIssuer({ issuer: await deadUrl() })

/** What each service mounts. The routes are the same everywhere. */
export const SERVICES = {
  plain: { mounts: [{ verifier: createVerifier(options) }] },
  realm: { mounts: [{ ...options, realm: "o'neil & sons" }] },
  replaced: {
    mounts: [
      { ...options, realm: 'first' },
      { ...options, realm: 'second' },
    ],
  },
  relaxed: {
    mounts: [
      { ...options, optional: true },
      { ...options, optional: true, skip: () => true },
    ],
  },
  optional: { mounts: [{ ...options, optional: true }] },
  skipTrue: { mounts: [{ ...options, skip: () => true }] },
  skipFalse: { mounts: [{ ...options, skip: () => false }] },
  skipThrows: {
    mounts: [
      {
        ...options,
        skip: () => {
          throw new Error('hush')
        },
      },
    ],
  },
  skipPromise: { mounts: [{ ...options, skip: () => settled(Promise.resolve(true)) }] },
  skipRejects: { mounts: [{ ...options, skip: () => settled(Promise.reject(new Error('hush'))) }] },
  skipOne: { mounts: [{ ...options, skip: () => 1 as unknown as boolean }] },
  skipUndefined: { mounts: [{ ...options, skip: () => undefined as unknown as boolean }] },
  unmounted: { mounts: [] },
  overwritten: { mounts: [{ ...options }], after: [overwrite] },
  overwrittenBefore: { before: [overwrite], mounts: [{ ...options, optional: true }] },
  forwarded: {
    mounts: [{ ...options, forwardErrors: true }],
    onFailure: (error) => {
      const { status } = error as { status: number }
      return { status, body: JSON.stringify(error) }
    },
  },
  forwardedMeddled: { mounts: [{ ...options, forwardErrors: true, onError: meddle }], onFailure: show },
  forwardedMeddledLater: {
    mounts: [{ ...options, forwardErrors: true, onError: (error) => Promise.resolve(error).then(meddle) }],
    onFailure: show,
  },
  observerThrows: {
    mounts: [
      {
        ...options,
        onError: () => {
          throw new Error('hush')
        },
      },
    ],
  },
  observerRejects: { mounts: [{ ...options, onError: () => Promise.reject(new Error('hush')) }] },
  observerReturns: { mounts: [{ ...options, onError: () => ({ status: 200, body: 'welcome' }) }] },
  observerMeddles: { mounts: [{ ...options, onError: meddle }] },
  observerFreezes: { mounts: [{ ...options, onError: (error: object) => Object.freeze(error) }] },
  forwardedFrozen: {
    mounts: [{ ...options, forwardErrors: true, onError: (error: object) => Object.freeze(error) }],
    onFailure: show,
  },
  cors: { before: [(call) => call.setHeader('Access-Control-Allow-Origin', '*')], mounts: [{ ...options }] },
  closed: { mounts: [{ verifier: await closed() }] },
  issuerDown: { mounts: [{ issuer: dead.issuer, keys: keys.store }] },
  storeDown: { mounts: [{ ...options, keys: failingStore() }] },
  later: { mounts: [{ verifier: answering((auth) => thenable(auth)) }] },
  laterJunk: { mounts: [{ verifier: answering(() => thenable('welcome')) }] },
  junk: { mounts: [{ verifier: answering(() => undefined) }] },
  truthy: { mounts: [{ verifier: answering(() => true) }] },
  optionalJunk: { mounts: [{ optional: true, verifier: answering(() => undefined) }] },
  throwsOther: {
    mounts: [
      {
        verifier: answering(() => {
          throw new Error('hush')
        }),
      },
    ],
  },
} satisfies Record<string, Omit<Service, 'routes'>>

const servers: Running[] = []

/** Starts one of the services on one framework. */
export async function start(framework: Framework, name: keyof typeof SERVICES): Promise<Running> {
  const running = await framework.start({
    ...(SERVICES as Record<string, Omit<Service, 'routes'>>)[name],
    routes: ROUTES(() => framework.adapter),
  })
  servers.push(running)
  return running
}

/** Closes every server and every verifier that was started. */
export async function closeAll(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.close()))
}

async function closed(): Promise<Verifier> {
  const verifier = createVerifier(options)
  await verifier.close()
  return verifier
}

async function deadUrl(): Promise<string> {
  const { port, close } = await listen(() => {})
  await close()
  return `http://127.0.0.1:${port}`
}

export function failingStore(): KeyStore {
  return { ...memoryKeyStore(), find: () => Promise.reject(new Error('connection refused')) }
}

/** A verifier of the application's own. */
function answering(answerWith: (auth: unknown) => unknown): Verifier {
  const verifier = createVerifier(options)
  return {
    ...verifier,
    authenticate: () =>
      answerWith({ kind: 'api_key', subject: 'own', scopes: ['jobs:read'], expiresAt: null, tenant: null }) as never,
  }
}

/** A promise of another library. */
function thenable(value: unknown): PromiseLike<unknown> {
  // biome-ignore lint/suspicious/noThenProperty: that is what it is
  return { then: (resolve, reject) => Promise.resolve(value).then(resolve, reject) }
}

const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` })
const open = (credential: string): WireRequest => ({ path: '/open', ...bearer(credential) })
const plain = (name: string, request: WireRequest, expected: WireAnswer): Row => ({
  name,
  service: 'plain',
  request,
  answer: expected,
})

/** Refused for the same answer, whatever is wrong. */
const badTokens: Record<string, string> = {
  'another audience': issuer.mint({ aud: 'https://other.example' }),
  'no audience': issuer.mint({ aud: undefined }),
  'an audience that is a number': issuer.mint({ aud: 1 }),
  'another issuer': issuer.mint({ iss: 'https://other.example' }),
  'the issuer with a slash': issuer.mint({ iss: `${issuer.issuer}/` }),
  'no issuer': issuer.mint({ iss: undefined }),
  'an expiry in the past': issuer.mint({ exp: now - 60 }),
  'no expiry': issuer.mint({ exp: undefined }),
  'an expiry in words': issuer.mint({ exp: '4102444799' }),
  'an expiry beyond all calendars': issuer.mint({ exp: 1e20 }),
  'a start in the future': issuer.mint({ nbf: now + 600 }),
  'an issue in the future': issuer.mint({ iat: now + 600 }),
  'no issue instant': issuer.mint({ iat: undefined }),
  'no subject': issuer.mint({ sub: undefined }),
  'an empty subject': issuer.mint({ sub: '' }),
  'a subject that is an object': issuer.mint({ sub: { toString: 'root' } }),
  'no client': issuer.mint({ client_id: undefined }),
  'no identifier': issuer.mint({ jti: undefined }),
  'a scope that is a number': issuer.mint({ scope: 7 }),
  'a scope list with a number': issuer.mint({ scope: ['jobs:read', 7] }),
  'a bound key': issuer.mint({ cnf: { jkt: 'x' } }),
  'the type of an ID token': issuer.mint({}, { typ: 'JWT' }),
  'no type': issuer.mint({}, { typ: undefined }),
  'a critical extension': issuer.mint({}, { crit: ['b64'] }),
  'no kid of the issuer': issuer.mint({}, { kid: 'other' }),
  'a kid that is a number': issuer.mint({}, { kid: 7 }),
  'the algorithm none': compact(issuer.header({ alg: 'none' }), issuer.claims(), () => Buffer.alloc(0)),
  'a symmetric algorithm': compact(
    issuer.header({ alg: 'HS256' }),
    issuer.claims(),
    hmacSigner('HS256', JSON.stringify(issuer.jwks)),
  ),
  "another one's signature": impostor.mint(),
  'no signature': issuer.mint().replace(/[^.]+$/, ''),
  'two parts': issuer.mint().split('.').slice(0, 2).join('.'),
  'a payload that is no JSON': issuer.mintRaw({ payload: '{' }),
  'a payload that is a list': issuer.mintRaw({ payload: '[]' }),
}

const LONGEST = 8192
const brokenKeys: Record<string, string> = {
  'an unknown key': generateApiKey('live').key,
  'a key with a wrong checksum': brokenKey,
  'a key of the other environment': generateApiKey('test').key,
  'a revoked key': keys.revoked,
  'an expired key': keys.expired,
  'half a key': keys.read.slice(0, 40),
  'a key with something behind it': `${keys.read}a`,
}

/** A token of somebody who signed in like that. */
const signedIn = (acr: string, auth_time: number) => issuer.mint({ acr, auth_time, exp: 4102444799 })
const staleSignIn = insufficientAuthentication('acr_values="phr mfa", max_age="60"')

export const ROWS: readonly Row[] = [
  // Let through.
  plain('a key with the scope', { path: '/v1/jobs', ...bearer(keys.read) }, handled('jobs')),
  plain('the same key again, from the cache', { path: '/v1/jobs', ...bearer(keys.read) }, handled('jobs')),
  plain('a token with the scope', { path: '/v1/jobs', ...bearer(token) }, handled('jobs')),
  plain('the same token again, from the cache', { path: '/v1/jobs', ...bearer(token) }, handled('jobs')),
  plain('a scheme in lower case', { path: '/open', authorization: `bearer ${keys.read}` }, handled('open to svc_read')),
  plain('a scheme in capitals', { path: '/open', authorization: `BEARER ${token}` }, handled('open to user_123')),
  plain('several spaces', { path: '/open', authorization: `Bearer    ${keys.read}` }, handled('open to svc_read')),
  plain(
    'a name in capitals',
    { path: '/open', headers: [['AUTHORIZATION', `Bearer ${keys.read}`]] },
    handled('open to svc_read'),
  ),
  plain('a fresh sign-in of the kind', { path: '/payout', ...bearer(signedIn('mfa', now)) }, handled('paid')),
  plain('a sign-in of another kind', { path: '/payout', ...bearer(signedIn('pwd', now)) }, staleSignIn),
  plain('a sign-in long ago', { path: '/payout', ...bearer(signedIn('mfa', now - 3600)) }, staleSignIn),
  plain('the same token again', { path: '/payout', ...bearer(signedIn('mfa', now - 3600)) }, staleSignIn),
  plain('a sign-in in the future', { path: '/payout', ...bearer(signedIn('mfa', now + 3600)) }, staleSignIn),
  plain('a token without a sign-in', { path: '/payout', ...bearer(token) }, staleSignIn),
  plain('a key, where a sign-in is asked for', { path: '/payout', ...bearer(keys.read) }, staleSignIn),
  plain('nobody, where a sign-in is asked for', { path: '/payout' }, missing()),
  {
    name: 'HEAD, where a sign-in is asked for',
    service: 'plain',
    request: { method: 'HEAD', path: '/payout', ...bearer(token) },
    answer: withoutBody(staleSignIn),
  },
  plain('getAuth', { path: '/me', ...bearer(token) }, handled('user_123')),
  plain('the view', { path: '/view', ...bearer(token) }, handled('seen user_123')),
  plain(
    'a body',
    {
      method: 'POST',
      path: '/v1/jobs',
      ...bearer(keys.write),
      body: '{}',
      headers: [['Content-Type', 'application/json']],
    },
    handled('created'),
  ),
  plain('one of any scopes', { path: '/any', ...bearer(keys.write) }, handled('any')),

  // No credential, or another kind of one.
  plain('no credential', { path: '/open' }, missing()),
  plain('no credential, in front of a guard', { path: '/v1/jobs' }, missing()),
  plain('an empty header', { path: '/open', authorization: '' }, missing()),
  plain('another scheme', { path: '/open', authorization: 'Basic dXNlcjpwYXNz' }, missing()),
  plain(
    'a tab after Bearer, which is another scheme',
    { path: '/open', authorization: `Bearer\t${keys.read}` },
    missing(),
  ),
  plain('a longer scheme', { path: '/open', authorization: `Bearers ${keys.read}` }, missing()),
  plain('a key without a scheme', { path: '/open', authorization: keys.read }, missing()),
  plain('a token in the query', { path: `/open?access_token=${token}` }, missing()),
  plain(
    'a token in the body',
    {
      method: 'POST',
      path: '/v1/jobs',
      body: `access_token=${token}`,
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
    },
    missing(),
  ),
  plain('an unknown path', { path: '/nowhere' }, missing()),
  plain('an unknown method of a known path', { method: 'DELETE', path: '/v1/jobs' }, missing()),
  plain('OPTIONS, which is nothing special', { method: 'OPTIONS', path: '/v1/jobs' }, missing()),

  // Malformed headers.
  plain('Bearer alone', { path: '/open', authorization: 'Bearer' }, invalid()),
  plain('Bearer and a space', { path: '/open', authorization: 'Bearer ' }, invalid()),
  plain('two tokens', { path: '/open', authorization: `Bearer ${keys.read} ${keys.read}` }, invalid()),
  plain('a space behind the token', { path: '/open', authorization: `Bearer ${token} x` }, invalid()),
  plain('illegal characters', { path: '/open', authorization: 'Bearer "töken"<script>' }, invalid()),
  plain('a comma-joined line', { path: '/open', authorization: `Bearer ${keys.read}, Bearer ${keys.read}` }, invalid()),
  plain(
    'a comma-joined line of two schemes',
    { path: '/open', authorization: `Bearer ${keys.read}, Basic eDp5` },
    invalid(),
  ),
  plain('8 192 bytes', open('a'.repeat(LONGEST)), invalid()),
  plain('8 193 bytes', open('a'.repeat(LONGEST + 1)), invalid()),
  plain('an unknown path with a bad credential', { path: '/nowhere', ...bearer('x') }, invalid()),

  // Two header lines, of which Node shows the first.
  plain('two lines', { path: '/open', authorization: [`Bearer ${keys.read}`, `Bearer ${keys.write}`] }, malformed),
  plain(
    'two identical lines',
    { path: '/open', authorization: [`Bearer ${keys.read}`, `Bearer ${keys.read}`] },
    malformed,
  ),
  plain(
    'two lines, of which one is of another scheme',
    { path: '/open', authorization: ['Basic eDp5', `Bearer ${keys.read}`] },
    malformed,
  ),
  plain('two lines, of which one is empty', { path: '/open', authorization: ['', `Bearer ${keys.read}`] }, malformed),
  plain(
    'two lines of different case',
    { path: '/open', ...bearer(keys.read), headers: [['aUTHORIZATION', `Bearer ${keys.read}`]] },
    malformed,
  ),
  plain('three lines', { path: '/open', authorization: ['Bearer', 'Bearer', 'Bearer'] }, malformed),

  // Bad credentials.
  ...Object.entries(brokenKeys).map(([name, key]) => plain(name, open(key), invalid())),
  ...Object.entries(badTokens).map(([name, bad]) => plain(`a token with ${name}`, open(bad), invalid())),
  plain('a bad token again, from the cache', open(badTokens["another one's signature"] as string), invalid()),

  // Scopes.
  plain('a missing scope', { method: 'POST', path: '/v1/jobs', ...bearer(keys.read) }, forbidden('jobs:write')),
  plain('a missing scope, of a token', { method: 'POST', path: '/v1/jobs', ...bearer(token) }, forbidden('jobs:write')),
  plain('write does not grant read', { path: '/v1/jobs', ...bearer(keys.write) }, forbidden('jobs:read')),
  plain(
    'one of several scopes',
    { path: '/both', ...bearer(keys.read) },
    forbidden('clusters:read jobs:read storage:write'),
  ),
  plain('none of any scopes', { path: '/any', ...bearer(keys.read) }, forbidden('teams:write jobs:write')),
  plain(
    'a body that is not read',
    { method: 'POST', path: '/v1/jobs', ...bearer(keys.read), body: 'x'.repeat(70_000) },
    forbidden('jobs:write'),
  ),

  // HEAD and conditional requests.
  plain('HEAD', { method: 'HEAD', path: '/v1/jobs', ...bearer(keys.read) }, withoutBody(handled('jobs'))),
  plain('HEAD without a credential', { method: 'HEAD', path: '/v1/jobs' }, withoutBody(missing())),
  plain(
    'HEAD without the scope',
    { method: 'HEAD', path: '/any', ...bearer(keys.read) },
    withoutBody(forbidden('teams:write jobs:write')),
  ),
  plain('HEAD of an unknown path', { method: 'HEAD', path: '/nowhere' }, withoutBody(missing())),
  plain('If-None-Match', { path: '/v1/jobs', headers: [['If-None-Match', '*']] }, missing()),
  plain(
    'If-None-Match at the self-test',
    { path: '/v1/auth/test', ...bearer(keys.endless), headers: [['If-None-Match', '*']] },
    tested('svc_endless', ['storage:read'], null),
  ),

  // The self-test.
  plain(
    'the self-test with a key that never expires',
    { path: '/v1/auth/test', ...bearer(keys.endless) },
    tested('svc_endless', ['storage:read'], null),
  ),
  plain(
    'the self-test with a token',
    { path: '/v1/auth/test', ...bearer(token) },
    tested('user_123', ['jobs:read', 'clusters:read'], '2099-12-31T23:59:59Z'),
  ),
  plain('the self-test without a credential', { path: '/v1/auth/test' }, missing()),
  plain(
    'HEAD of the self-test',
    { method: 'HEAD', path: '/v1/auth/test', ...bearer(keys.endless) },
    withoutBody(tested('svc_endless', ['storage:read'], null)),
  ),

  // Options of the mount.
  { name: 'the realm', service: 'realm', request: { path: '/open' }, answer: missing("o'neil & sons") },
  { name: 'the realm of a refusal', service: 'realm', request: open('x'), answer: invalid("o'neil & sons") },
  {
    name: 'the realm of a guard',
    service: 'realm',
    request: { path: '/any', ...bearer(keys.read) },
    answer: forbidden('teams:write jobs:write', "o'neil & sons"),
  },
  {
    name: 'the later of two mounts',
    service: 'replaced',
    request: { path: '/any', ...bearer(keys.read) },
    answer: forbidden('teams:write jobs:write', 'second'),
  },
  {
    name: 'the earlier of two mounts refuses first',
    service: 'replaced',
    request: open('x'),
    answer: invalid('first'),
  },
  {
    name: 'a later mount that skips takes the Auth away',
    service: 'relaxed',
    request: open(keys.read),
    answer: handled('open to nobody'),
  },
  {
    name: 'a later mount that skips takes the view away',
    service: 'relaxed',
    request: { path: '/view', ...bearer(keys.read) },
    answer: handled('seen nobody'),
  },
  {
    name: 'a later mount that skips leaves guards nobody',
    service: 'relaxed',
    request: { path: '/v1/jobs', ...bearer(keys.read) },
    answer: missing(),
  },

  {
    name: 'optional with a credential',
    service: 'optional',
    request: open(keys.read),
    answer: handled('open to svc_read'),
  },
  {
    name: 'optional without a credential',
    service: 'optional',
    request: { path: '/open' },
    answer: handled('open to nobody'),
  },
  {
    name: 'optional without a credential: no view',
    service: 'optional',
    request: { path: '/view' },
    answer: handled('seen nobody'),
  },
  {
    name: 'optional with another scheme',
    service: 'optional',
    request: { path: '/open', authorization: 'Basic eDp5' },
    answer: handled('open to nobody'),
  },
  {
    name: 'optional with an empty header',
    service: 'optional',
    request: { path: '/open', authorization: '' },
    answer: handled('open to nobody'),
  },
  { name: 'optional with a bad credential', service: 'optional', request: open('x'), answer: invalid() },
  { name: 'optional with a revoked key', service: 'optional', request: open(keys.revoked), answer: invalid() },
  {
    name: 'optional with Bearer alone',
    service: 'optional',
    request: { path: '/open', authorization: 'Bearer' },
    answer: invalid(),
  },
  {
    name: 'optional with two lines',
    service: 'optional',
    request: { path: '/open', authorization: ['Basic eDp5', 'Basic eDp5'] },
    answer: malformed,
  },
  {
    name: 'optional without a credential, at a guard',
    service: 'optional',
    request: { path: '/v1/jobs' },
    answer: missing(),
  },
  {
    name: 'optional without a credential, at the self-test',
    service: 'optional',
    request: { path: '/v1/auth/test' },
    answer: missing(),
  },
  {
    name: 'optional with a missing scope',
    service: 'optional',
    request: { path: '/any', ...bearer(keys.read) },
    answer: forbidden('teams:write jobs:write'),
  },
  {
    name: 'optional and another middleware that was there before',
    service: 'overwrittenBefore',
    request: { path: '/view' },
    // Handlers that want our word ask getAuth(): what another middleware has put there is its own.
    answer: handled('seen root'),
  },

  { name: 'skipped', service: 'skipTrue', request: { path: '/open' }, answer: handled('open to nobody') },
  {
    name: 'skipped with a good credential',
    service: 'skipTrue',
    request: open(keys.read),
    answer: handled('open to nobody'),
  },
  { name: 'skipped with a bad credential', service: 'skipTrue', request: open('x'), answer: handled('open to nobody') },
  {
    name: 'skipped, at a guard',
    service: 'skipTrue',
    request: { path: '/v1/jobs', ...bearer(keys.read) },
    answer: missing(),
  },
  {
    name: 'skipped, at the self-test',
    service: 'skipTrue',
    request: { path: '/v1/auth/test', ...bearer(keys.read) },
    answer: missing(),
  },
  { name: 'not skipped', service: 'skipFalse', request: { path: '/open' }, answer: missing() },
  {
    name: 'not skipped with a good credential',
    service: 'skipFalse',
    request: open(keys.read),
    answer: handled('open to svc_read'),
  },
  ...(['skipThrows', 'skipPromise', 'skipRejects', 'skipOne', 'skipUndefined'] as const).flatMap((service): Row[] => [
    { name: `${service} without a credential`, service, request: { path: '/open' }, answer: failed },
    { name: `${service} with a good credential`, service, request: open(keys.read), answer: failed },
    { name: `${service} at an unknown path`, service, request: { path: '/nowhere' }, answer: failed },
  ]),

  {
    name: 'a guard without the middleware',
    service: 'unmounted',
    request: { path: '/v1/jobs', ...bearer(keys.read) },
    answer: failed,
  },
  {
    name: 'the self-test without the middleware',
    service: 'unmounted',
    request: { path: '/v1/auth/test' },
    answer: failed,
  },
  { name: 'getAuth without the middleware', service: 'unmounted', request: { path: '/me' }, answer: failed },
  {
    name: 'findAuth without the middleware',
    service: 'unmounted',
    request: { path: '/open' },
    answer: handled('open to nobody'),
  },

  // Another middleware writes where handlers look.
  {
    name: 'guards do not look at the view',
    service: 'overwritten',
    request: { method: 'POST', path: '/v1/jobs', ...bearer(keys.read) },
    answer: forbidden('jobs:write'),
  },
  {
    name: 'findAuth does not look at the view',
    service: 'overwritten',
    request: open(keys.read),
    answer: handled('open to svc_read'),
  },
  {
    name: 'getAuth does not look at the view',
    service: 'overwritten',
    request: { path: '/me', ...bearer(keys.read) },
    answer: handled('svc_read'),
  },
  {
    name: 'the self-test does not look at the view',
    service: 'overwritten',
    request: { path: '/v1/auth/test', ...bearer(keys.endless) },
    answer: tested('svc_endless', ['storage:read'], null),
  },
  {
    name: 'the other middleware keeps its view',
    service: 'overwritten',
    request: { path: '/view', ...bearer(keys.read) },
    answer: handled('seen root'),
  },

  // Observers.
  ...(['observerThrows', 'observerRejects', 'observerReturns', 'observerMeddles', 'observerFreezes'] as const).flatMap(
    (service): Row[] => [
      { name: `${service}: no credential`, service, request: { path: '/open' }, answer: missing() },
      { name: `${service}: a key that is looked up`, service, request: open(keys.revoked), answer: invalid() },
      {
        name: `${service}: a missing scope`,
        service,
        request: { path: '/any', ...bearer(keys.read) },
        answer: forbidden('teams:write jobs:write'),
      },
      { name: `${service}: a good credential`, service, request: open(keys.read), answer: handled('open to svc_read') },
    ],
  ),

  {
    name: 'CORS headers stay on a refusal',
    service: 'cors',
    request: { path: '/v1/jobs' },
    answer: { ...missing(), headers: { ...missing().headers, 'access-control-allow-origin': '*' } },
  },
  {
    name: 'CORS headers stay on a late refusal',
    service: 'cors',
    request: open(keys.revoked),
    answer: { ...invalid(), headers: { ...invalid().headers, 'access-control-allow-origin': '*' } },
  },

  // It cannot be decided.
  { name: 'a key after close()', service: 'closed', request: open(keys.read), answer: unavailable },
  { name: 'anything after close()', service: 'closed', request: open('x'), answer: unavailable },
  { name: 'no credential after close()', service: 'closed', request: { path: '/open' }, answer: missing() },
  {
    name: 'an issuer out of reach',
    service: 'issuerDown',
    request: open(dead.mint()),
    answer: unavailable,
    retryAfter: ['1', '2'],
  },
  {
    name: 'a key while the issuer is out of reach',
    service: 'issuerDown',
    request: open(keys.read),
    answer: handled('open to svc_read'),
  },
  { name: 'a store that rejects', service: 'storeDown', request: open(keys.read), answer: unavailable },
  {
    name: 'a token while the store rejects',
    service: 'storeDown',
    request: open(token),
    answer: handled('open to user_123'),
  },

  // A verifier of the application's own.
  { name: 'a promise of another library', service: 'later', request: { path: '/v1/jobs' }, answer: handled('jobs') },
  {
    name: 'a promise of another library, without the scope',
    service: 'later',
    request: { path: '/any' },
    answer: forbidden('teams:write jobs:write'),
  },
  ...(['laterJunk', 'junk', 'truthy', 'optionalJunk'] as const).map(
    (service): Row => ({ name: `no Auth: ${service}`, service, request: { path: '/open' }, answer: failed }),
  ),
  { name: 'an error that is none of ours', service: 'throwsOther', request: { path: '/open' }, answer: failed },
]
