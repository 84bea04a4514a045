import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { calculateJwkThumbprint, createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose'
import type { Configuration, KoaContextWithOIDC, Provider, ResourceServer } from 'oidc-provider'
import { DOCUMENTED_SCOPES, parseScopeClaim, type Scope } from '../src/core/scope.js'
import { createTokenSessions, END_SESSION_PATH, serveEndSession, type TokenSessions } from './end-session.js'
import { askUser, type Middleware, sendPage } from './interaction.js'
import { LOOPBACK, listen } from './loopback.js'
import { codePage, errorPage } from './pages.js'

/** One confidential client. It authenticates with `client_secret_post`, as the product page shows. */
export interface DemoClient {
  readonly clientId: string
  readonly clientSecret: string
  /** Shown on the consent page. */
  readonly name: string
  /**
   * Makes it a client that signs users in, by OpenID Connect with PKCE, and gets no scope of the API. It always shows a
   * page, on which the user chooses one of these.
   */
  readonly accounts?: readonly string[]
  /** Where it hears of the end of a session. Its access tokens then name their session, as `sid`. */
  readonly backchannelLogoutUri?: string
}

export interface AuthorizationServerOptions {
  /** Port on loopback; 0 for a free one. */
  readonly port: number
  /**
   * Whether the authorize step of a client without accounts shows a page to sign in and consent on. Otherwise it consents
   * by itself, for `account`.
   */
  readonly interactive: boolean
  /** The API that tokens are for: their `aud` claim. */
  readonly audience: string
  readonly clients: readonly DemoClient[]
  /** Subject of the tokens when nobody is asked. */
  readonly account: string
}

export interface AuthorizationServer {
  readonly issuer: string
  /** A redirect URI that shows the code to whoever follows it. */
  readonly redirectUri: string
  /** Ends, by POST, the session of the access token in the Authorization header; without one, all of them. */
  readonly endSession: string
  /**
   * Signs `account` in to a client, in a session of its own, and issues an access token in it, as the authorization code
   * grant does.
   */
  openSession(clientId: string, scopes: readonly Scope[]): Promise<string>
  close(): Promise<void>
}

const TOKEN_LIFETIME_SECONDS = 3600
const CODE_LIFETIME_SECONDS = 600 // RFC 6749 §4.1.2: ten minutes at most
const SESSION_LIFETIME_SECONDS = 8 * 3600

/**
 * Starts the authorization server of the product page on loopback: `/oauth/authorize` and `/oauth/token`, scopes
 * separated by commas as well as spaces, JWT access tokens (RFC 9068) signed with ES256.
 *
 * It is for development. Its users have no passwords, its keys end with the process, and any loopback address is
 * accepted as a redirect URI.
 */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const oidc = await loadProvider()
  const signingKey = await createSigningKey()
  const server = createServer()
  // The issuer identifier holds the port, so the socket comes first.
  const { url: issuer, close } = await listen(server, options.port)
  const sessions = createTokenSessions()
  const provider = withoutNotices(() => new oidc.Provider(issuer, configure(oidc, options, signingKey, sessions)))
  allowLoopbackRedirects(provider)
  provider.use(advertiseScopes)
  provider.use(showCode)
  provider.use(
    askUser(provider, {
      audience: options.audience,
      suggestedAccount: options.account,
      accountsOf: (clientId) => accountsOf(options, clientId),
    }),
  )
  const { d: _, ...publicKey } = signingKey
  const keys = createLocalJWKSet({ keys: [publicKey] })
  const sidOf = async (token: string) => {
    const { payload } = await jwtVerify(token, keys, { issuer, audience: options.audience, typ: 'at+jwt' })
    return payload.sid as string | undefined
  }
  provider.use(serveEndSession(provider, { sessions, sidOf }))
  server.on('request', provider.callback())
  return {
    issuer,
    redirectUri: `${issuer}/callback`,
    endSession: issuer + END_SESSION_PATH,
    openSession: (clientId, scopes) => openSession(provider, options, clientId, scopes),
    close,
  }
}

async function openSession(
  provider: Provider,
  { account: accountId, audience }: AuthorizationServerOptions,
  clientId: string,
  scopes: readonly Scope[],
): Promise<string> {
  const client = await provider.Client.find(clientId)
  if (client === undefined) throw new TypeError('clientId: no client has it')
  const grant = new provider.Grant({ accountId, clientId })
  grant.addResourceScope(audience, [...scopes])
  const grantId = await grant.save()
  const session = new provider.Session()
  session.loginAccount({ accountId })
  session.ensureClientContainer(clientId)
  session.grantIdFor(clientId, grantId)
  await session.save(SESSION_LIFETIME_SECONDS)
  const token = new provider.AccessToken({
    accountId,
    client,
    grantId,
    gty: 'authorization_code',
    expiresWithSession: true,
    sessionUid: session.uid,
    sid: session.sidFor(clientId),
    scope: scopes.join(' '),
    resourceServer: new provider.ResourceServer(audience, resourceServerFor(audience)),
  })
  return token.save()
}

/** How access tokens for the API look. */
function resourceServerFor(audience: string): ResourceServer {
  return {
    audience,
    scope: DOCUMENTED_SCOPES.join(' '),
    accessTokenFormat: 'jwt',
    accessTokenTTL: TOKEN_LIFETIME_SECONDS,
    jwt: { sign: { alg: 'ES256' } },
  }
}

type OidcProvider = typeof import('oidc-provider')

let loading: Promise<OidcProvider> | undefined

/** It brings 40 packages along, so only those who start the server wait for them. */
function loadProvider(): Promise<OidcProvider> {
  loading ??= withoutNotices(() => import('oidc-provider'))
  return loading
}

/** oidc-provider warns, on the console, of development settings and of Node 20. This is development, and it runs there. */
function withoutNotices<T>(load: () => T): T {
  const { info, warn } = console
  console.info = console.warn = () => {}
  const restore = () => Object.assign(console, { info, warn })
  let result: T
  try {
    result = load()
  } catch (error) {
    restore()
    throw error
  }
  if (result instanceof Promise) result.then(restore, restore)
  else restore()
  return result
}

function accountsOf({ clients }: AuthorizationServerOptions, clientId: string | undefined) {
  return clients.find((client) => client.clientId === clientId)?.accounts
}

async function createSigningKey() {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'ES256', use: 'sig' }
}

function configure(
  oidc: OidcProvider,
  options: AuthorizationServerOptions,
  signingKey: Awaited<ReturnType<typeof createSigningKey>>,
  sessions: TokenSessions,
): Configuration {
  return {
    jwks: { keys: [signingKey] },
    clients: options.clients.map(({ clientId, clientSecret, name, accounts, backchannelLogoutUri }) => ({
      client_id: clientId,
      client_secret: clientSecret,
      client_name: name,
      grant_types: accounts === undefined ? ['authorization_code', 'client_credentials'] : ['authorization_code'],
      redirect_uris: [`http://${LOOPBACK}/callback`],
      token_endpoint_auth_method: 'client_secret_post',
      ...(backchannelLogoutUri === undefined
        ? {}
        : { backchannel_logout_uri: backchannelLogoutUri, backchannel_logout_session_required: true }),
    })),
    extraTokenClaims: (_ctx, token) => sessions.claimsFor(token),
    fetch: fetchFromLoopback,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['client_secret_post'],
    clientBasedCORS: () => false,
    responseTypes: ['code'],
    scopes: ['openid'],
    // The page's own addresses carry none.
    pkce: { required: (_ctx, client) => accountsOf(options, client.clientId) !== undefined },
    routes: { authorization: '/oauth/authorize', token: '/oauth/token', jwks: '/oauth/jwks' },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: {
      AccessToken: TOKEN_LIFETIME_SECONDS,
      ClientCredentials: TOKEN_LIFETIME_SECONDS,
      AuthorizationCode: CODE_LIFETIME_SECONDS,
      Interaction: CODE_LIFETIME_SECONDS,
      IdToken: TOKEN_LIFETIME_SECONDS,
      Grant: SESSION_LIFETIME_SECONDS,
      Session: SESSION_LIFETIME_SECONDS,
    },
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => options.audience,
        useGrantedResource: () => true,
        getResourceServerInfo(ctx, resource) {
          if (resource !== options.audience) throw new oidc.errors.InvalidTarget()
          const asksWho = accountsOf(options, ctx.oidc.client?.clientId) !== undefined
          readRequestedScopes(oidc, ctx, asksWho ? ['openid'] : DOCUMENTED_SCOPES)
          // The first hook of an authorization request after its parameters are checked, and before the user matters.
          if (ctx.oidc.session !== undefined && ctx.oidc.route === 'authorization') {
            if (asksWho) delete ctx.oidc.session.accountId
            else if (!options.interactive) ctx.oidc.session.loginAccount({ accountId: options.account })
          }
          return resourceServerFor(options.audience)
        },
      },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    async loadExistingGrant(ctx) {
      const { client, params, provider, result, session } = ctx.oidc
      // A user who is asked is asked each time, so that the page can be seen again.
      if (options.interactive || accountsOf(options, client?.clientId) !== undefined)
        return result?.consent?.grantId ? provider.Grant.find(result.consent.grantId) : undefined
      const grant = new provider.Grant({
        accountId: session?.accountId as string,
        clientId: client?.clientId as string,
      })
      grant.addResourceScope(options.audience, params?.scope as string)
      await grant.save()
      return grant
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError(ctx, { error, error_description: description }) {
      if (ctx.accepts('json', 'html') === 'html') sendPage(ctx, errorPage(error, description))
      else ctx.body = { error, error_description: description }
    },
  }
}

/** oidc-provider keeps its requests away from loopback, where everything of the demo is. */
const fetchFromLoopback: Configuration['fetch'] = (input, init) => {
  const { method, headers, body, redirect, signal } = init ?? {}
  return fetch(input, { method, headers, body, redirect, signal } as RequestInit)
}

/**
 * Takes commas for the spaces that the specification wants. Left to itself, oidc-provider drops what it does not know,
 * and answers with a token that permits nothing.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6749#section-3.3 RFC 6749 §3.3}
 */
function readRequestedScopes(oidc: OidcProvider, ctx: KoaContextWithOIDC, permitted: readonly string[]): void {
  const { params, route } = ctx.oidc
  // The scopes of a code were settled when it was asked for.
  if (params === undefined || (route === 'token' && params.grant_type !== 'client_credentials')) return
  const scopes = parseScopeClaim(params.scope) ?? []
  const unknown = scopes.filter((scope) => !permitted.includes(scope))
  if (scopes.length === 0 || unknown.length > 0) {
    throw new oidc.errors.InvalidScope(`ask for one or more of ${permitted.join(', ')}`, unknown.join(' '))
  }
  params.scope = scopes.join(' ')
}

/** RFC 8252 §7.3 permits any port on loopback; here any path as well, so that an application under work can be tried. */
function allowLoopbackRedirects(provider: Provider): void {
  const hosts = new Set([LOOPBACK, 'localhost', '[::1]'])
  provider.Client.prototype.redirectUriAllowed = (redirectUri: string) => {
    if (!URL.canParse(redirectUri)) return false
    const { protocol, hostname, username, password } = new URL(redirectUri)
    return protocol === 'http:' && hosts.has(hostname) && username + password === '' && !redirectUri.includes('#')
  }
}

/** oidc-provider lists only the scopes of OpenID Connect. */
const advertiseScopes: Middleware = async (ctx, next) => {
  await next()
  if (ctx.path.startsWith('/.well-known/') && ctx.status === 200) {
    ctx.body = { ...(ctx.body as object), scopes_supported: DOCUMENTED_SCOPES }
  }
}

/** The demo's redirect URI: shows the code, so that it can be exchanged by hand. */
const showCode: Middleware = (ctx, next) => {
  if (ctx.path !== '/callback' || ctx.method !== 'GET') return next()
  const { code, state, error, error_description: description } = ctx.query
  // What is shown here is pasted into a shell, and anybody can write a link to this page.
  if (typeof code === 'string' && /^[\w-]+$/.test(code)) {
    sendPage(ctx, codePage(code, first(state)), `CODE=${code}\n`)
  } else {
    ctx.status = 400
    const reason = first(error) ?? 'invalid_request'
    const detail = reason === first(error) ? first(description) : 'there is no authorization code in this address'
    sendPage(ctx, errorPage(reason, detail), `${reason}: ${detail ?? ''}\n`)
  }
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
