import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'

/**
 * Runs a hook for the paths below a scope's prefix that no route has. Fastify ends them in the not-found handler of an
 * outer scope, which runs the hooks of the outer scope alone: without this, they would need no credential.
 *
 * @param hasRun whether the hook has seen the request already, because the scope has a not-found handler of its own
 */
export function coverNotFound(
  scope: FastifyInstance,
  hook: onRequestHookHandler,
  hasRun: (request: FastifyRequest) => boolean,
): void {
  const root = outermostScope(scope)
  if (root === undefined) return
  const isBelowPrefix = createPrefixCheck(scope.prefix)
  root.addHook('onRequest', function (request, reply, next) {
    const missed = request.is404 && isBelowPrefix(request.url) && !hasRun(request)
    return missed ? hook.call(this, request, reply, next) : next()
  })
}

/** The outermost scope; `undefined` where the scope has no prefix of its own, so that no path is below it alone. */
function outermostScope(scope: FastifyInstance): FastifyInstance | undefined {
  // Fastify makes an encapsulated scope with Object.create(outer).
  const outer: FastifyInstance = Object.getPrototypeOf(scope)
  if (outer.prefix === undefined || outer.prefix === scope.prefix) return undefined
  let root = outer
  for (let next = root; next.prefix !== undefined; next = Object.getPrototypeOf(next)) root = next
  return root
}

/** Whether a URL's path is a prefix or below it; a segment of the prefix with a parameter matches any. */
function createPrefixCheck(prefix: string): (url: string) => boolean {
  const segments = prefix.split('/').filter((segment) => segment !== '')
  return (url) => {
    const path = url.split(/[?#]/, 1)[0]?.split('/').slice(1) ?? []
    return segments.every((segment, i) => path[i] !== undefined && (/[:*(]/.test(segment) || segment === path[i]))
  }
}
