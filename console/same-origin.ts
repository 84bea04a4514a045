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

/**
 * Why a request was refused, for the log: behind a proxy the console cannot know its own origin. Of the request it shows
 * nothing but plain origins.
 */
export function describeOrigin(request: ConsoleRequest, origins: readonly string[] | undefined): string {
  const site = request.header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin') return 'its browser says that another page sent it'
  const origin = request.header('origin')
  if (origin === undefined) return 'it has neither Origin nor Sec-Fetch-Site'
  const own = (origins ?? [request.ownOrigin ?? 'none, for want of a Host']).join(', ')
  const shown = isPlainOrigin(origin)
    ? `its Origin is ${origin}`
    : 'its Origin is none that a browser writes for a page'
  return `${shown}, and that of the console is ${own}; if people open the console there, set its option origin`
}

function isPlainOrigin(text: string): boolean {
  return text.length <= 255 && /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

const HOST = /^[\w.:[\]-]{1,255}$/

/** An origin as browsers write it: in lower case, without the scheme's own port. `undefined` for what is no host. */
export function formatOrigin(scheme: 'http' | 'https', host: string | undefined): string | undefined {
  if (host === undefined || !HOST.test(host)) return undefined
  const url = `${scheme}://${host}`
  return URL.canParse(url) ? new URL(url).origin : undefined
}
