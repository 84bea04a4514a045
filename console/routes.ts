import { audit } from './api/audit.js'
import { description } from './api/description.js'
import { create, list, revoke, rotate, show } from './api/keys.js'
import { session } from './api/session.js'
import { usageOfAll, usageOfKey } from './api/usage.js'
import type { ConsoleAction } from './contract.js'
import { NO_QUERY } from './query.js'
import type { Handler } from './task.js'

/** One operation of the console. */
export interface Endpoint {
  /** A GET answers HEAD as well. A POST changes something. */
  readonly method: 'GET' | 'POST'
  /** Below the mount. `:id` is the id of a key. */
  readonly path: string
  readonly action: ConsoleAction
  readonly handler: Handler
}

const events: Handler = ({ site, request, caller, askAgain, query }) => {
  query(NO_QUERY)
  return site.streams.open(request, caller, askAgain)
}

const page: Handler = ({ site, request }) => site.assets.page(request.header('accept-encoding'))

export const ENDPOINTS: readonly Endpoint[] = [
  { method: 'GET', path: '/', action: 'page', handler: page },
  { method: 'GET', path: '/api/session', action: 'page', handler: session },
  { method: 'GET', path: '/api/keys', action: 'list', handler: list },
  { method: 'POST', path: '/api/keys', action: 'create', handler: create },
  { method: 'GET', path: '/api/keys/:id', action: 'list', handler: show },
  { method: 'POST', path: '/api/keys/:id/rotate', action: 'rotate', handler: rotate },
  { method: 'POST', path: '/api/keys/:id/revoke', action: 'revoke', handler: revoke },
  { method: 'GET', path: '/api/keys/:id/usage', action: 'usage', handler: usageOfKey },
  { method: 'GET', path: '/api/usage', action: 'usage', handler: usageOfAll },
  { method: 'GET', path: '/api/audit', action: 'audit', handler: audit },
  { method: 'GET', path: '/api/events', action: 'events', handler: events },
  { method: 'GET', path: '/api/openapi.json', action: 'page', handler: description },
]

/** What there is at a path. */
export interface Route {
  /** By method. */
  readonly endpoints: ReadonlyMap<string, Endpoint>
  /** The methods, as the header `Allow` lists them. */
  readonly allow: string
  /** The id in the path, decoded and not checked; `undefined` where the path has none. */
  readonly id: string | undefined
}

const ROUTES = [...new Set(ENDPOINTS.map(({ path }) => path))].map((path) => {
  const endpoints = ENDPOINTS.filter((endpoint) => endpoint.path === path)
  const methods = endpoints.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return {
    pattern: new RegExp(`^${path.replace(':id', '([^/]+)')}$`),
    endpoints: new Map(methods.map((name) => [name, endpointFor(endpoints, name)])),
    allow: methods.join(', '),
  }
})

function endpointFor(endpoints: readonly Endpoint[], method: string): Endpoint {
  return endpoints.find((endpoint) => endpoint.method === (method === 'HEAD' ? 'GET' : method)) as Endpoint
}

/** @param path percent-encoded, as it came */
export function findRoute(path: string): Route | undefined {
  for (const { pattern, endpoints, allow } of ROUTES) {
    const match = pattern.exec(path)
    if (match !== null) return { endpoints, allow, id: match[1] === undefined ? undefined : decode(match[1]) }
  }
  return undefined
}

/** What cannot be decoded is left as it is: no id has a percent sign that stands for nothing. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
