import {
  type AuditJson,
  type CreatedKeyJson,
  type ErrorJson,
  type KeyJson,
  type KeyListJson,
  type KeyUsageJson,
  REQUEST_HEADER,
  type RotatedKeyJson,
  type SessionJson,
  type TotalUsageJson,
} from '../api-types.js'
import { CALLER_HEADER, formatCaller } from '../caller-header.js'
import { doubtSession, noteSession } from './session-state.js'

/**
 * Why there is no answer. `offline`: none arrived. `session`: nobody is signed in. `unavailable`: the key store is out of
 * reach. `busy`: too many requests. `failed`: the server has other trouble. In these cases it may help to ask again.
 * `refused`: the same request would be refused again.
 */
export type Trouble = 'offline' | 'session' | 'unavailable' | 'busy' | 'failed' | 'refused'

export class ApiError extends Error {
  override readonly name = 'ApiError'
  constructor(
    readonly trouble: Trouble,
    /** The server's own sentence where it sent one, or `''`. */
    description: string,
    /** The HTTP status; 0 where no answer arrived. */
    readonly status: number,
    /** Whether a request that changes something may have done so all the same. */
    readonly mayHaveHappened: boolean,
    /** Do not ask again before. */
    readonly retryAfterSeconds = 0,
  ) {
    super(description)
  }
}

/** How long a request may take. The server answers within its own time limit, which is shorter. */
const TIMEOUT_MS = 15_000

/** What the list asks for; a member that is absent or `undefined` is not sent. */
export interface KeyListQuery {
  readonly search?: string | undefined
  readonly state?: string | undefined
  readonly sort?: string | undefined
  readonly usage?: number | undefined
  readonly unusedFor?: string | undefined
  readonly expiringWithin?: string | undefined
  readonly supersededInUse?: true | undefined
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

export interface NewKey {
  readonly name?: string
  readonly scopes: readonly string[]
  /** A duration such as `90d`; `null` for no end. */
  readonly expiresIn?: string | null
  readonly environment?: string
  readonly subject?: string
  readonly tenant?: string
}

/** The console's API, below the place where the page is. Every method throws {@link ApiError}. */
export const api = {
  session: (signal?: AbortSignal): Promise<SessionJson> => get('session', {}, signal),
  keys: (query: KeyListQuery, signal?: AbortSignal): Promise<KeyListJson> => get('keys', { ...query }, signal),
  key: (id: string, signal?: AbortSignal): Promise<KeyJson> => get(`keys/${id}`, {}, signal),
  create: (key: NewKey): Promise<CreatedKeyJson> => postOnce('keys', key),
  rotate: (id: string, body: { readonly overlap?: string }): Promise<RotatedKeyJson> =>
    postOnce(`keys/${id}/rotate`, body),
  revoke: (id: string, body: { readonly reason?: string }): Promise<KeyJson> => post(`keys/${id}/revoke`, body),
  keyUsage: (id: string, days: number, signal?: AbortSignal): Promise<KeyUsageJson> =>
    get(`keys/${id}/usage`, { days }, signal),
  usage: (days: number, signal?: AbortSignal): Promise<TotalUsageJson> => get('usage', { days }, signal),
  audit: (
    query: {
      readonly id?: string | undefined
      readonly cursor?: string | undefined
      readonly limit?: number | undefined
    },
    signal?: AbortSignal,
  ): Promise<AuditJson> => get('audit', query, signal),
}

/** Whom the page is for, as its requests say it: the first one who was signed in. */
let person: string | undefined

/** From here on each request says that it is for this person. Whoever comes later changes nothing. */
export function actFor(session: SessionJson): void {
  person ??= formatCaller(session)
}

/** Whether the page is for this person. */
export function actsFor(session: SessionJson): boolean {
  return person === formatCaller(session)
}

/** The time by the server's clock, as its last answer told it: the browser's own may be wrong by hours. */
export function serverNow(): number {
  return Date.now() + clockOffsetMs
}

let clockOffsetMs = 0

function get<T>(path: string, query: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<T> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return send(text === '' ? path : `${path}?${text}`, { method: 'GET' }, signal)
}

function post<T>(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<T> {
  return send(path, { method: 'POST', body: JSON.stringify(body), headers })
}

/** Of what makes a key, the browser may send a second copy by itself, whose key nobody would see. */
function postOnce<T>(path: string, body: unknown): Promise<T> {
  // Where the page comes by http there is no randomUUID().
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0'))
  return post(path, body, { [REQUEST_HEADER]: id.join('') })
}

interface Sent {
  readonly method: 'GET' | 'POST'
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

async function send<T>(path: string, init: Sent, signal?: AbortSignal): Promise<T> {
  const changes = init.method !== 'GET'
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const asksWho = path === 'session'
  let response: Response
  let body: unknown
  try {
    response = await fetch(`api/${path}`, {
      ...init,
      headers: {
        ...init.headers,
        ...(changes && { 'Content-Type': 'application/json' }),
        ...(person !== undefined && !asksWho && { [CALLER_HEADER]: person }),
      },
      cache: 'no-store',
      // What sends people elsewhere to sign in must not be followed: the answer would be a page, or another site's.
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    body = await bodyOf(response)
  } catch {
    signal?.throwIfAborted()
    throw new ApiError('offline', '', 0, changes, 0)
  }
  const date = Date.parse(response.headers.get('Date') ?? '')
  if (!Number.isNaN(date)) clockOffsetMs = date - Date.now()
  if (response.ok && body !== undefined) {
    noteSession('running')
    return body as T
  }
  const error = errorOf(response, body, changes)
  // Somebody else may be signed in, or the same person may do less.
  if ((error.status === 403 || error.status === 409) && !asksWho) doubtSession()
  throw error
}

function errorOf(response: Response, body: unknown, changes: boolean): ApiError {
  const { status } = response
  if (status === 401 || response.type === 'opaqueredirect') {
    noteSession('ended')
    return new ApiError('session', '', status, false)
  }
  const { error, error_description: description } = isErrorJson(body) ? body : { error: '', error_description: '' }
  const retryAfter = Number(response.headers.get('Retry-After')) || 0
  if (status === 429) return new ApiError('busy', description, status, false, retryAfter)
  if (status >= 500 || response.ok) {
    const trouble = error === 'temporarily_unavailable' ? 'unavailable' : 'failed'
    return new ApiError(trouble, description, status, changes, retryAfter)
  }
  noteSession('running')
  // The first copy was received, and its answer lost.
  return new ApiError('refused', description, status, response.headers.has(REQUEST_HEADER))
}

/** The JSON of an answer; `undefined` for anything else, as a proxy in between sends it. */
async function bodyOf(response: Response): Promise<unknown> {
  if (!(response.headers.get('Content-Type') ?? '').startsWith('application/json')) return undefined
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isErrorJson(body: unknown): body is ErrorJson {
  return typeof (body as Partial<ErrorJson> | null | undefined)?.error_description === 'string'
}
