import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'

/** What Express 4 and 5, and the parsers that nearly every application has, add to Node's request. */
const NAMES = new Set(
  'accepts acceptsCharset acceptsCharsets acceptsEncoding acceptsEncodings acceptsLanguage acceptsLanguages app baseUrl body cookies files fresh get header host hostname ip ips is next originalUrl param params path protocol query range res route secret secure session sessionID signedCookies stale subdomains xhr'.split(
    ' ',
  ),
)

/** Whether requests have a property of this name. */
export function hasRequestProperty(name: string): boolean {
  return NAMES.has(name) || name in new IncomingMessage(new Socket())
}
