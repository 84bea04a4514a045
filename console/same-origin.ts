import type { ConsoleRequest } from './exchange.js'

/**
 * Whether the console's own page sent a request, as the browser says. `Referer` does not count: it can be left out, and
 * cut short, by whoever links.
 *
 * @param origins the page's; `undefined` for the one that the request was sent to
 * @param needsNeither whether a request may come without both headers. What is there has to be right all the same.
 */
export function isSameOrigin(
  request: ConsoleRequest,
  origins: readonly string[] | undefined,
  needsNeither: boolean,
): boolean {
  const site = request.header('sec-fetch-site')
  const origin = request.header('origin')
  if (site !== undefined && site !== 'same-origin') return false
  if (origin !== undefined && !(origins ?? [request.ownOrigin]).includes(origin)) return false
  return site !== undefined || origin !== undefined || needsNeither
}

const HOST = /^[\w.:[\]-]{1,255}$/

/** An origin as browsers write it: in lower case, without the scheme's own port. `undefined` for what is no host. */
export function formatOrigin(scheme: 'http' | 'https', host: string | undefined): string | undefined {
  if (host === undefined || !HOST.test(host)) return undefined
  const url = `${scheme}://${host}`
  return URL.canParse(url) ? new URL(url).origin : undefined
}
