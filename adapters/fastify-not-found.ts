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
  const isBelowPrefix = createPrefixCheck(scope)
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

/** The options that decide which paths are one route. */
interface RouterOptions {
  readonly caseSensitive?: boolean
  readonly ignoreDuplicateSlashes?: boolean
  readonly useSemicolonDelimiter?: boolean
}

/**
 * Whether a URL's path is a prefix or below it, read as Fastify's router (find-my-way) reads it: the router tells only which
 * route it found, and there is none. A path that it cannot decode counts as below, and so does any segment for one of the
 * prefix with a parameter.
 */
function createPrefixCheck({ prefix, initialConfig }: FastifyInstance): (url: string) => boolean {
  // Fastify 5 has them in both places; where they are given as routerOptions, those count.
  const { routerOptions, ...config } = initialConfig as RouterOptions & { routerOptions?: RouterOptions }
  const { caseSensitive, ignoreDuplicateSlashes, useSemicolonDelimiter } = { ...config, ...routerOptions }
  const normalize = (path: string): string[] => {
    const cased = caseSensitive === false ? path.toLowerCase() : path
    return (ignoreDuplicateSlashes ? cased.replace(/\/{2,}/g, '/') : cased).split('/').slice(1)
  }
  const segments = normalize(prefix.replace(/\/+$/, ''))
  const end = useSemicolonDelimiter ? /[?#;]/ : /[?#]/
  return (url) => {
    let path = url.replace(/^https?:\/\/[^/]*\//i, '/').split(end, 1)[0] as string
    try {
      path = decodeURI(path)
    } catch {
      return true
    }
    const given = normalize(path)
    for (const [i, segment] of segments.entries()) {
      if (given[i] === undefined) return false
      // A parameter with an expression, or a wildcard, may span several segments.
      if (/[*(]/.test(segment)) return true
      if (!segment.includes(':') && segment !== given[i]) return false
    }
    return true
  }
}
