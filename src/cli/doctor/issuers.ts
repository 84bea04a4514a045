import type { Configuration } from '../../config/options.js'
import { describeCause, LONGEST_REPORT } from '../../core/cause.js'
import { formatSpan } from '../../core/duration.js'
import { createDiscovery, metadataUrls } from '../../token/issuer/discovery.js'
import { fetchJson } from '../../token/issuer/fetch-json.js'
import { createLoadedKeySet } from '../../token/issuer/loaded-key-set.js'
import { momentOf } from '../../token/issuer/moment.js'
import { deadlineAfter } from '../../token/issuer/timers.js'
import { keyUsesOf } from '../../token/key-set.js'
import type { IssuerPolicy, KeySource } from '../../token/policy.js'
import { type Examination, notMeasured, ok, wrong } from './examination.js'

/** An issuer's metadata, its key set and its clock, as a service would ask for them: with its fetch, limits and rules. */
export async function examineIssuer(policy: IssuerPolicy, config: Configuration): Promise<Examination[]> {
  const { issuer, keySource } = policy
  if (keySource.kind === 'static') {
    return [
      ok('metadata', issuer, 'not needed: the key set is static'),
      ok('key set', issuer, `static, ${countOf(keySource.jwks.keys.length)}`),
      notMeasured('clock', issuer, 'nothing is fetched from this issuer'),
    ]
  }
  const dates: DateSeen[] = []
  const fetch = notingDates({ ...config, fetch: keySource.fetch ?? config.fetch }, dates)
  const [metadata, url] = await examineMetadata(policy.issuer, keySource, { ...config, fetch })
  const keySet =
    url === undefined
      ? notMeasured('key set', issuer, 'the metadata does not lead to it')
      : await examineKeySet(policy, url, { ...config, fetch })
  return [metadata, keySet, examineClock(policy, dates)]
}

async function examineMetadata(
  issuer: string,
  source: Exclude<KeySource, { kind: 'static' }>,
  { fetch, timeoutMs, clock }: Configuration,
): Promise<readonly [Examination, URL | undefined]> {
  if (source.kind === 'jwks_uri') {
    return [ok('metadata', issuer, 'not needed: jwksUri names the key set'), source.url]
  }
  const { signal, clear } = deadlineAfter(timeoutMs, new AbortController().signal)
  try {
    const url = await createDiscovery(issuer, source, fetch, timeoutMs).locate(momentOf(clock()), signal)
    return [ok('metadata', issuer, `leads to ${shown(url)}`), url]
  } catch (error) {
    const cure = cureOf(error, metadataUrls(issuer)[0] as URL)
    return [wrong('metadata', issuer, describeCause(error, LONGEST_REPORT), cure), undefined]
  } finally {
    clear()
  }
}

async function examineKeySet(
  policy: IssuerPolicy,
  url: URL,
  { fetch, timeoutMs, clock, keySetMaxStaleMs }: Configuration,
): Promise<Examination> {
  const { issuer, algorithms } = policy
  const { signal, clear } = deadlineAfter(timeoutMs, new AbortController().signal)
  try {
    const loaded = createLoadedKeySet(algorithms, keySetMaxStaleMs, keyUsesOf(policy))
    loaded.replace((await fetchJson(fetch, url, signal)).body, momentOf(clock()), 1)
    return ok('key set', issuer, countOf(loaded.set?.size ?? 0))
  } catch (error) {
    return wrong('key set', issuer, describeCause(error, LONGEST_REPORT), cureOf(error, url))
  } finally {
    clear()
  }
}

/** What an answer says of its sender's clock, in milliseconds since the epoch. */
interface DateSeen {
  /** When the request was sent and the answer came, by our clock. */
  readonly sentAt: number
  readonly receivedAt: number
  /** What the sender's clock said when the answer came: its Date, and how long it lay in caches (RFC 9111 §5.1). */
  readonly says: number
}

function notingDates({ fetch, clock }: Configuration, seen: DateSeen[]): Configuration['fetch'] {
  return async (input, init) => {
    const sentAt = clock()
    const response = await fetch(input, init)
    const receivedAt = clock()
    const date = Date.parse(response.headers?.get('date') ?? '')
    const age = /^\d{1,9}$/.exec(response.headers?.get('age')?.trim() ?? '')?.[0] ?? '0'
    if (!Number.isNaN(date)) seen.push({ sentAt, receivedAt, says: date + 1000 * Number(age) })
    return response
  }
}

/** By how much our clock is ahead, in milliseconds; below 0 it is behind. The time that the answer travelled counts for us. */
function aheadOf({ sentAt, receivedAt, says }: DateSeen): number {
  return sentAt > says ? sentAt - says : Math.min(receivedAt - says, 0)
}

/** A Date has whole seconds, so that one more than the tolerance is no sign of anything. */
const DATE_STEP_MS = 1000

function examineClock({ issuer, clockToleranceSeconds }: IssuerPolicy, dates: readonly DateSeen[]): Examination {
  // A cache that does not say how old its answers are makes a clock look late; the other answer may be fresh.
  const [nearest] = dates.map(aheadOf).sort((one, other) => Math.abs(one) - Math.abs(other))
  if (nearest === undefined) return notMeasured('clock', issuer, 'no answer had a Date')
  const tolerance = `${clockToleranceSeconds} s are tolerated`
  if (Math.abs(nearest) < DATE_STEP_MS) return ok('clock', issuer, `as the issuer's; ${tolerance}`)
  const found = `${formatSpan(Math.abs(nearest) / 1000)} ${nearest > 0 ? 'ahead of' : 'behind'} the issuer's; ${tolerance}`
  return Math.abs(nearest) <= 1000 * clockToleranceSeconds + DATE_STEP_MS
    ? ok('clock', issuer, found)
    : wrong(
        'clock',
        issuer,
        found,
        `set the clock of this machine, or the issuer's, by NTP: ${nearest > 0 ? 'tokens end early here' : 'new tokens are refused as not yet valid'}`,
      )
}

function countOf(keys: number): string {
  return keys === 1 ? 'one key' : `${keys} keys`
}

/** A query may be secret. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`
}

function cureOf(error: unknown, url: URL): string {
  const message = describeCause(error, LONGEST_REPORT)
  if (/names the issuer/.test(message))
    return 'set issuer (VANTAGE_ISSUER) to the one that it names, character for character'
  if (/CERT|SIGNATURE|ISSUER_CERT/.test(message)) {
    return 'Node does not trust the certificate: name the file of its authority in NODE_EXTRA_CA_CERTS'
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(message))
    return 'the name has no address here: compare it with what the issuer is called, and look at DNS'
  if (/no key that can verify/.test(message))
    return 'the issuer has to publish public keys for one of the accepted algorithms'
  if (/answered 40[13]\b/.test(message))
    return "it asks for a credential: give the issuer's entry a fetch of its own that sends one (docs/providers/kubernetes.md)"
  return `services get the same: compare with what a command prints on this machine: curl -i ${shown(url)}`
}
