import { type DependencyNotice, NO_NOTICE } from '../../core/outage-notices.js'
import { isJsonObject, type JsonObject } from '../json-object.js'
import type { KeySource } from '../policy.js'
import { FetchError, fetchJson } from './fetch-json.js'
import { isLinkLocal, isLoopback } from './local-address.js'
import { ageOf, type Moment } from './moment.js'
import { deadlineAfter } from './timers.js'

const METADATA_FRESH_MS = 3_600_000

/** Where an issuer's key set is. */
export interface Discovery {
  /**
   * The URL of the key set, from the configuration or from the issuer's metadata, which is asked for once an hour. While
   * the metadata is out of reach, it is the URL of last time: broken metadata takes no key set down that is in order.
   *
   * Rejects with an `Error` when the metadata cannot be had, or leads where it may not.
   */
  locate(now: Moment, deadline: AbortSignal): Promise<URL>
  /** Asks for the metadata again the next time: the key set was not where it led. */
  forget(): void
}

/**
 * @param timeoutMs time limit of one fetch of the key set, discovery included
 * @param notice of metadata that fails while the key set is in order
 */
export function createDiscovery(
  issuer: string,
  source: Exclude<KeySource, { kind: 'static' }>,
  fetch: typeof globalThis.fetch,
  timeoutMs: number,
  notice: DependencyNotice = NO_NOTICE,
): Discovery {
  if (source.kind === 'jwks_uri') return { locate: async () => source.url, forget() {} }
  let located: { readonly url: URL; readonly at: Moment } | undefined
  return {
    async locate(now, deadline) {
      if (located === undefined) {
        located = { url: await readMetadata(issuer, fetch, deadline), at: now }
      } else if (ageOf(located.at, now.wall) >= METADATA_FRESH_MS) {
        // Half of the time, so that metadata that does not answer leaves enough for the key set.
        const half = deadlineAfter(timeoutMs / 2, deadline)
        try {
          located = { url: await readMetadata(issuer, fetch, half.signal), at: now }
          notice.answered()
        } catch (error) {
          if (!(error instanceof FetchError && error.outOfReach)) throw error
          if (!deadline.aborted) notice.failed(error)
        } finally {
          half.clear()
        }
      }
      return located.url
    },
    forget() {
      located = undefined
    },
  }
}

/**
 * Asks the issuer's metadata where its key set is.
 *
 * The metadata may not lead from https to http, nor to this machine or a link-local address, unless the configured issuer
 * is there itself. Only addresses that are written out are held: a name may resolve to any address (SECURITY.md).
 */
async function readMetadata(issuer: string, fetch: typeof globalThis.fetch, deadline: AbortSignal): Promise<URL> {
  const { url, metadata } = await findMetadata(issuer, fetch, deadline)
  if (metadata.issuer !== issuer) {
    const bySlash = metadata.issuer === `${issuer}/` || `${metadata.issuer}/` === issuer
    throw new Error(
      `${url} names the issuer ${JSON.stringify(metadata.issuer)?.slice(0, 200)} instead of ${JSON.stringify(issuer)} (RFC 8414 §3.3)${bySlash ? ': they differ by the slash at the end alone, configure the issuer as the metadata and the iss claim of its tokens have it' : ''}`,
    )
  }
  const uri = metadata.jwks_uri
  if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error(`${url} has no jwks_uri`)
  const configured = new URL(issuer)
  const target = new URL(uri)
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && configured.protocol === 'http:')) {
    throw new Error(`${url} leads to a jwks_uri that is not https`)
  }
  if (isLoopback(target) && !isLoopback(configured)) {
    throw new Error(`${url} leads to a jwks_uri on the loopback interface`)
  }
  if (isLinkLocal(target) && !isLinkLocal(configured)) {
    throw new Error(`${url} leads to a jwks_uri on a link-local address`)
  }
  // The platform's fetch refuses it too, with a message that shows the password.
  if (target.username !== '' || target.password !== '') throw new Error(`${url} leads to a jwks_uri with a password`)
  return target
}

/**
 * The first JSON object that a location answers, whatever it says. Many servers do not answer 404 where they have no
 * metadata: a gateway says 401 or 403, a page that handles its own routes says 200 with HTML. None of that is the issuer's
 * word, so the next location is asked. An outage says nothing of the location, and the next one may be an older document.
 */
async function findMetadata(
  issuer: string,
  fetch: typeof globalThis.fetch,
  deadline: AbortSignal,
): Promise<{ readonly url: URL; readonly metadata: JsonObject }> {
  const answers: string[] = []
  for (const url of metadataUrls(issuer)) {
    try {
      const { body } = await fetchJson(fetch, url, deadline)
      if (isJsonObject(body)) return { url, metadata: body }
      answers.push(`${url} answered with JSON that is not an object`)
    } catch (error) {
      if (!(error instanceof FetchError) || error.outOfReach) throw error
      answers.push(error.message)
    }
  }
  throw new FetchError(answers.join('; '), false)
}

/**
 * Where an issuer's metadata may be, in the order in which it is looked for: RFC 8414 §3.1 puts the well-known part before
 * the issuer's path, OpenID Connect Discovery §4 behind it, and RFC 8414 §5 permits its name before the path as well.
 */
export function metadataUrls(issuer: string): readonly URL[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const locations = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/openid-configuration${path}`,
  ]
  return [...new Set(locations)].map((location) => new URL(location))
}
