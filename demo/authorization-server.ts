import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider'
import { DOCUMENTED_SCOPES, parseScopeClaim, type Scope } from '../src/core/scope.js'
import { LOOPBACK, listen } from './loopback.js'
import { codePage, consentPage, contentSecurityPolicy, errorPage } from './pages.js'

/** One confidential client. It authenticates with `client_secret_post`, as the product page shows. */
export interface DemoClient {
  readonly clientId: string
  readonly clientSecret: string
  /** Shown on the consent page. */
  readonly name: string
}

export interface AuthorizationServerOptions {
  /** Port on loopback; 0 for a free one. */
  readonly port: number
  /** Whether the authorize step shows a page to sign in and consent on. Otherwise it consents by itself, for `account`. */
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
  const provider = withoutNotices(() => new oidc.Provider(issuer, configure(oidc, options, signingKey)))
  allowLoopbackRedirects(provider)
  provider.use(advertiseScopes)
  provider.use(showCode)
  if (options.interactive) provider.use(askUser(provider, options))
  server.on('request', provider.callback())
  return { issuer, redirectUri: `${issuer}/callback`, close }
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

async function createSigningKey() {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'ES256', use: 'sig' }
}

function configure(
  oidc: OidcProvider,
  options: AuthorizationServerOptions,
  signingKey: Awaited<ReturnType<typeof createSigningKey>>,
): Configuration {
  return {
    jwks: { keys: [signingKey] },
    clients: options.clients.map(({ clientId, clientSecret, name }) => ({
      client_id: clientId,
      client_secret: clientSecret,
      client_name: name,
      grant_types: ['authorization_code', 'client_credentials'],
      redirect_uris: [`http://${LOOPBACK}/callback`],
      token_endpoint_auth_method: 'client_secret_post',
    })),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['client_secret_post'],
    clientBasedCORS: () => false,
    responseTypes: ['code'],
    scopes: [],
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
          readRequestedScopes(oidc, ctx)
          // The first hook of an authorization request after its parameters are checked, and before the user matters.
          if (!options.interactive && ctx.oidc.route === 'authorization') {
            ctx.oidc.session?.loginAccount({ accountId: options.account })
          }
          return {
            audience: options.audience,
            scope: DOCUMENTED_SCOPES.join(' '),
            accessTokenFormat: 'jwt',
            accessTokenTTL: TOKEN_LIFETIME_SECONDS,
            jwt: { sign: { alg: 'ES256' } },
          }
        },
      },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    async loadExistingGrant(ctx) {
      const { client, params, provider, result, session } = ctx.oidc
      // A user who is asked is asked each time, so that the page can be seen again.
      if (options.interactive) return result?.consent?.grantId ? provider.Grant.find(result.consent.grantId) : undefined
      const grant = new provider.Grant({
        accountId: session?.accountId as string,
        clientId: client?.clientId as string,
      })
      grant.addResourceScope(options.audience, params?.scope as string)
      await grant.save()
      return grant
    },
    interactions: {
      // Without a policy nothing is ever asked.
      policy: options.interactive ? oidc.interactionPolicy.base() : [],
      url: (_ctx, interaction) => `/interaction/${interaction.uid}`,
    },
    renderError(ctx, { error, error_description: description }) {
      if (ctx.accepts('json', 'html') === 'html') sendPage(ctx, errorPage(error, description))
      else ctx.body = { error, error_description: description }
    },
  }
}

/**
 * Takes commas for the spaces that the specification wants. Left to itself, oidc-provider drops what it does not know,
 * and answers with a token that permits nothing.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6749#section-3.3 RFC 6749 §3.3}
 */
function readRequestedScopes(oidc: OidcProvider, ctx: KoaContextWithOIDC): void {
  const { params, route } = ctx.oidc
  // The scopes of a code were settled when it was asked for.
  if (params === undefined || (route === 'token' && params.grant_type !== 'client_credentials')) return
  const scopes = parseScopeClaim(params.scope) ?? []
  const unknown = scopes.filter((scope) => !DOCUMENTED_SCOPES.includes(scope as Scope))
  if (scopes.length === 0 || unknown.length > 0) {
    throw new oidc.errors.InvalidScope(`ask for one or more of ${DOCUMENTED_SCOPES.join(', ')}`, unknown.join(' '))
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

type Middleware = Parameters<Provider['use']>[0]
type Context = Parameters<Middleware>[0]

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

/** Serves the sign-in and consent page, and carries its answer back into the authorization request. */
function askUser(provider: Provider, { account: suggestedAccount, audience }: AuthorizationServerOptions): Middleware {
  const csrfKey = randomBytes(32)
  const csrfToken = (uid: string) => createHmac('sha256', csrfKey).update(uid).digest('base64url')

  return async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    // Found by the cookie that went to the browser which began; the path alone opens nothing.
    const interaction = await provider.interactionDetails(ctx.req, ctx.res).catch(() => undefined)
    if (interaction === undefined || ctx.path !== `/interaction/${interaction.uid}`) {
      ctx.status = 400
      return sendPage(ctx, errorPage('invalid_request', 'This sign-in has ended, or began in another browser.'))
    }
    const { params, prompt, session, uid } = interaction
    const clientId = params.client_id as string
    const redirectUri = params.redirect_uri as string
    const scopes = (params.scope as string).split(' ')
    const ask = async (problem?: string) => {
      const client = await provider.Client.find(clientId)
      ctx.status = problem === undefined ? 200 : 400
      sendPage(
        ctx,
        consentPage({
          clientName: client?.clientName ?? clientId,
          scopes,
          redirectUri,
          account: session?.accountId,
          suggestedAccount,
          csrfToken: csrfToken(uid),
          ...(problem === undefined ? {} : { problem }),
        }),
      )
      // Browsers apply form-action to the redirect that answers a form as well, and know no IPv6 address there.
      const { hostname, origin } = new URL(redirectUri)
      const target = hostname.startsWith('[') ? 'http:' : origin
      ctx.set('Content-Security-Policy', contentSecurityPolicy(["'self'", target]))
    }
    if (ctx.method === 'GET' || ctx.method === 'HEAD') return ask()
    if (ctx.method !== 'POST') {
      ctx.status = 405
      ctx.set('Allow', 'GET, HEAD, POST')
      return
    }
    const form = await readForm(ctx.req)
    if (form === undefined || !equal(form.get('csrf') ?? '', csrfToken(uid))) {
      ctx.status = 403
      return sendPage(ctx, errorPage('access_denied', 'This answer did not come from the page that asked.'))
    }
    if (form.get('decision') !== 'allow') {
      return resume(ctx, { error: 'access_denied', error_description: 'The user denied the request' })
    }
    const accountId = session?.accountId ?? form.get('account')?.trim() ?? ''
    if (!/^[\w.@+-]{1,64}$/.test(accountId)) {
      return ask('A user name has 1 to 64 letters, digits or the signs . _ - + @')
    }
    const grant = new provider.Grant({ accountId, clientId })
    grant.addResourceScope(audience, scopes)
    const consent = { grantId: await grant.save() }
    return resume(ctx, prompt.name === 'login' ? { login: { accountId, remember: false }, consent } : { consent })
  }

  async function resume(ctx: Context, result: Parameters<Provider['interactionResult']>[2]): Promise<void> {
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }))
    ctx.status = 303
  }
}

/** Sends a page; plain text to those who, like curl, ask for nothing in particular. */
function sendPage(ctx: Context, html: string, text?: string): void {
  ctx.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy': contentSecurityPolicy(),
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  })
  const plain = text !== undefined && ctx.accepts('text', 'html') === 'text'
  ctx.type = plain ? 'text' : 'html'
  ctx.body = plain ? text : html
}

const MAX_FORM_BYTES = 4096

async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  // Not destroyed on return: the refusal still has to go out on this connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_FORM_BYTES) return undefined
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

function equal(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
