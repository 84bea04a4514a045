import type { FastifyInstance } from 'fastify'

/** What requests of Fastify 4 and 5 have. */
const NAMES = new Set(
  'body compileValidationSchema connection context getDecorator getValidationFunction headers host hostname id ip ips is404 log mediaType method originalUrl params port protocol query raw routeConfig routeOptions routeSchema routerMethod routerPath server setDecorator signal socket url validateInput validationError'.split(
    ' ',
  ),
)

// Scopes inherit it from the scopes around them, as they do decorators.
const DECORATED = Symbol.for('vantage-auth.decorated')

type Scope = FastifyInstance & { [DECORATED]?: readonly string[] }

/** Whether requests have a property of this name. */
export function hasRequestProperty(name: string): boolean {
  return NAMES.has(name)
}

/** @throws {TypeError} where somebody else has decorated requests with this name */
export function refuseTaken(scope: Scope, name: string): void {
  if (scope[DECORATED]?.includes(name) || !scope.hasRequestDecorator(name)) return
  throw new TypeError(`exposeAs: the request decorator '${name}' is taken; choose another name, or false`)
}

/** Declares the property to Fastify, so that all requests have one shape. */
export function decorateRequests(scope: Scope, name: string | false): void {
  if (name === false || scope[DECORATED]?.includes(name)) return
  refuseTaken(scope, name)
  scope.decorateRequest(name, undefined)
  scope[DECORATED] = [...(scope[DECORATED] ?? []), name]
}
