import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Keyring } from '../src/keyring/contract.js'

/** What a request wants: the API's operations, and `page` for the page itself and all that is none of the others. */
export type ConsoleAction = 'list' | 'create' | 'rotate' | 'revoke' | 'usage' | 'audit' | 'events' | 'page'

/** See {@link KeyConsoleOptions.authorize}. */
export interface ConsoleQuestion {
  readonly action: ConsoleAction
  /** The key that the request is about, where it names one. It has the form of an id; whether there is such a key is open. */
  readonly id?: string
  /** What the caller of {@link KeyConsole.fetch} gave as its second argument. */
  readonly [name: string]: unknown
}

/** The word for "all tenants": as `tenant: ALL_TENANTS`, so that no absent value can mean it. */
export const ALL_TENANTS: unique symbol = Symbol.for('vantage-auth.all-tenants')

/**
 * Who is asking, and what they may see and do: what `authorize` returns. Another member makes it a 500, and so does one that
 * is there without a value: leave it out.
 */
export interface ConsoleCaller {
  /** Who does it, for the audit trail. */
  readonly actor: string
  /** Whose keys are seen: one tenant's, or everybody's by {@link ALL_TENANTS}. */
  readonly tenant: string | typeof ALL_TENANTS
  /** Limits the caller to keys of this subject. */
  readonly subject?: string
  /** Whether keys may be made, rotated and revoked. Counts only as `true`. */
  readonly canWrite?: boolean
  /** The scopes that new keys may have. Default: the keyring's vocabulary. */
  readonly grantable?: readonly string[]
  /** New keys end at this instant at the latest. */
  readonly notAfter?: Date
}

/** What a handler of the framework receives: Express's `req`, Koa's `ctx`, Fastify's `request`, or the `Request` of `fetch`. */
export type AuthorizeConsole<R> = (
  request: R,
  question: ConsoleQuestion,
) => ConsoleCaller | undefined | Promise<ConsoleCaller | undefined>

/** See `createKeyConsole`. */
export interface KeyConsoleOptions {
  /** The keys to show. A keyring stays its owner's to close; a store URL is opened, and closed by `close()`. */
  keyring: Keyring | string
  /**
   * Says who is asking. `undefined` is a 401. A throw, silence for `timeoutMs`, or anything that is no {@link ConsoleCaller}
   * is a 500, and never access.
   */
  // biome-ignore lint/suspicious/noExplicitAny: what a request is depends on where the console is mounted
  authorize: AuthorizeConsole<any>
  /** The API that keys are for, as the copied command calls it. http or https. Default: `https://api.vantage.omnivector.solutions`. */
  apiUrl?: string | undefined
  /** Where a person signs in: a path or an http(s) URL. `return_to` is added. Default: none, and a small page says 401. */
  signInUrl?: string | undefined
  /**
   * Where the page is served from, as browsers write it in `Origin`: `https://console.example.com`. Default: the scheme of
   * the socket and the `Host` header; forwarded headers are never read, so behind a proxy that ends TLS it must be given.
   */
  origin?: string | readonly string[] | undefined
  /** The path that {@link KeyConsole.fetch} strips, such as `/settings/api-keys`. Frameworks strip their own. */
  mount?: string | undefined
  /** How long `authorize` and the key store may take, in milliseconds, 1 to 60 000. Default: 3000. */
  timeoutMs?: number | undefined
  /** `WWW-Authenticate` of a 401, such as `Cookie realm="dashboard"`. Default: none. */
  challenge?: string | undefined
}

/** Second argument of {@link KeyConsole.fetch}. Its members are members of `authorize`'s second argument as well. */
export interface FetchContext {
  /** The path to strip, in place of the option. */
  readonly mount?: string | undefined
  readonly [name: string]: unknown
}

/** Settings → API Keys, to mount. Its types name no framework, so that they compile where only one is installed. */
export interface KeyConsole {
  /** `app.use('/settings/api-keys', keyConsole.express())` */
  express(): (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void
  /** `app.use(mount('/settings/api-keys', keyConsole.koa()))`, with koa-mount. */
  koa(): (ctx: object, next: () => Promise<unknown>) => Promise<void>
  /** `app.register(keyConsole.fastify(), { prefix: '/settings/api-keys' })` */
  fastify(): (app: object, options: { prefix?: string }) => Promise<void>
  /** Answers a request of the Fetch standard. */
  fetch(request: Request, context?: FetchContext): Promise<Response>
  /** Ends event streams, and closes what was opened from a URL. Idempotent; afterwards every answer is 503. */
  close(): Promise<void>
}
