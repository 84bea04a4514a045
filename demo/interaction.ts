import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Provider } from 'oidc-provider'
import { contentSecurityPolicy } from './page-frame.js'
import { consentPage, errorPage, signInPage } from './pages.js'

export type Middleware = Parameters<Provider['use']>[0]
type Context = Parameters<Middleware>[0]

export interface InteractionOptions {
  /** The API that scopes are of. */
  readonly audience: string
  /** What the consent page suggests as the user. */
  readonly suggestedAccount: string
  /** The accounts to choose from, of a client that signs users in; `undefined` for others. */
  accountsOf(clientId: string): readonly string[] | undefined
}

/** Serves the pages on which a user signs in and consents, and carries the answer back into the authorization request. */
export function askUser(
  provider: Provider,
  { suggestedAccount, audience, accountsOf }: InteractionOptions,
): Middleware {
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
    const accounts = accountsOf(clientId)
    const ask = async (problem?: string) => {
      const clientName = (await provider.Client.find(clientId))?.clientName ?? clientId
      ctx.status = problem === undefined ? 200 : 400
      const question = { clientName, csrfToken: csrfToken(uid), ...(problem === undefined ? {} : { problem }) }
      const html =
        accounts === undefined
          ? consentPage({ ...question, scopes, redirectUri, account: session?.accountId, suggestedAccount })
          : signInPage({ ...question, accounts })
      sendPage(ctx, html)
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
    // To choose an account is to sign in with it; what a client may do on somebody's behalf is allowed explicitly.
    const denied = accounts === undefined ? form.get('decision') !== 'allow' : form.get('decision') === 'deny'
    if (denied) return resume(ctx, { error: 'access_denied', error_description: 'The user denied the request' })
    const accountId = session?.accountId ?? form.get('account')?.trim() ?? ''
    if (accounts !== undefined && !accounts.includes(accountId)) return ask('Choose one of the accounts')
    if (!/^[\w.@+-]{1,64}$/.test(accountId)) {
      return ask('A user name has 1 to 64 letters, digits or the signs . _ - + @')
    }
    const grant = new provider.Grant({ accountId, clientId })
    if (accounts === undefined) grant.addResourceScope(audience, scopes)
    else grant.addOIDCScope(scopes.join(' '))
    const consent = { grantId: await grant.save() }
    return resume(ctx, prompt.name === 'login' ? { login: { accountId, remember: false }, consent } : { consent })
  }

  async function resume(ctx: Context, result: Parameters<Provider['interactionResult']>[2]): Promise<void> {
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }))
    ctx.status = 303
  }
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

/** Sends a page; plain text to those who, like curl, ask for nothing in particular. */
export function sendPage(ctx: Context, html: string, text?: string): void {
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
