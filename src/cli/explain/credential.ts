import { digestApiKey, looksLikeApiKey } from '../../api-key/format.js'
import { parsePresentedKey } from '../../api-key/presented-key.js'
import { checkStoredKey, judgeStoredKey, reportStoredKey } from '../../api-key/verdict.js'
import type { Configuration } from '../../config/options.js'
import { type AccessTokenAuth, type Auth, subjectsOf } from '../../core/auth.js'
import { describeCause, LONGEST_REPORT } from '../../core/cause.js'
import { parseAuthorization } from '../../core/credentials.js'
import { answerWithin } from '../../core/deadline.js'
import { isAuthError } from '../../core/errors.js'
import { acrOf, authTimeOf } from '../../core/sign-in.js'
import type { KeyStore, StoredKey } from '../../store/contract.js'
import { claimedAuth, reportClaims } from '../../token/access-token.js'
import { type CheckReport, show } from '../../token/check-report.js'
import { showTime } from '../../token/claim-values.js'
import { createIssuer } from '../../token/issuer/issuer.js'
import { type JsonObject, own } from '../../token/json-object.js'
import type { VerificationKey } from '../../token/key-set.js'
import { verifyAccessToken } from '../../token/signature.js'
import { parseAccessToken, type UnverifiedAccessToken } from '../../token/unverified-token.js'
import { isAskable } from '../../verifier/resolved-issuers.js'
import { isRevokedBy } from '../../verifier/revocation-list.js'
import type { Service } from '../service.js'
import { type Finding, failed, findingOf, open, passed } from './finding.js'
import { nameIssuers, notResolved } from './unknown-issuer.js'

/** What a service would decide on a credential, and each check on the way there. */
export interface Explanation {
  readonly kind: 'API key' | 'access token'
  readonly findings: readonly Finding[]
  /** Who would be let in; there only when no check has failed or is open. */
  readonly auth: Auth | undefined
  /** What the store has of the key, for whoever holds the whole of it. */
  readonly stored: StoredKey | undefined
}

type Explained = Omit<Explanation, 'kind'>

const REFUSED = { auth: undefined, stored: undefined } as const

/**
 * Makes the checks that the service would make, in its order. No function of the application is called but its store, its
 * clock and its fetch.
 *
 * @param mayFetch whether the issuers may be asked for their keys; static ones are used in any case
 */
export async function explainCredential(credential: string, service: Service, mayFetch: boolean): Promise<Explanation> {
  const parsed = parseAuthorization(`Bearer ${credential}`)
  if (parsed.kind !== 'bearer') {
    return {
      kind: 'access token',
      findings: [failed('size', '1 to 8192 bytes', 'nothing, or more', 'malformed')],
      ...REFUSED,
    }
  }
  const isKey = looksLikeApiKey(parsed.token)
  const explained = isKey
    ? await explainApiKey(parsed.token, service)
    : await explainToken(parsed.token, service, mayFetch)
  const accepted = explained.findings.every(({ outcome }) => outcome === 'passed')
  const askedToo = accepted && service.config.isRevoked !== undefined ? [NOT_ASKED] : []
  return {
    kind: isKey ? 'API key' : 'access token',
    findings: [...explained.findings, ...askedToo],
    auth: accepted ? explained.auth : undefined,
    stored: explained.stored,
  }
}

const NOT_ASKED: Finding = {
  check: 'isRevoked',
  outcome: 'skipped',
  expected: 'false',
  found: 'not asked: no function of the application is called here',
}

async function explainApiKey(key: string, { config, keys }: Service): Promise<Explained> {
  const findings: Finding[] = []
  const parsed = parsePresentedKey(key, config.environment, (check) => findings.push(findingOf(check)))
  if ('reason' in parsed) return { findings, ...REFUSED }
  if (keys.kind === 'none') {
    return { findings: [...findings, failed('store', 'a key store', keys.because, 'unknown')], ...REFUSED }
  }
  if (keys.kind === 'memory') {
    const cure = 'its keys are made by the service itself: only the service can tell'
    return { findings: [...findings, open('store', 'a key store', keys.because, cure)], ...REFUSED }
  }
  if (keys.kind === 'absent') {
    const cure = 'name the store of the service with --store; a service without one answers API keys 503'
    return { findings: [...findings, open('store', 'a key store', keys.because, cure)], ...REFUSED }
  }
  const now = config.clock()
  const presented = { ...parsed, digest: digestApiKey(key) }
  const answer = await askStore(keys, config, (store) => store.find(parsed.id))
  if ('fault' in answer) return { findings: [...findings, answer.fault], ...REFUSED }
  const stored: unknown = answer.value
  try {
    checkStoredKey(stored, parsed.id)
  } catch (error) {
    const cure = 'services answer 503 until the row is mended'
    return {
      findings: [
        ...findings,
        open('store', 'a row that services can read', describeCause(error, LONGEST_REPORT), cure),
      ],
      ...REFUSED,
    }
  }
  const judged = judgeStoredKey(stored, presented, now)
  const reports = reportStoredKey(stored, presented, now)
  const holdsIt = reports.every(({ name, passed }) => name !== 'digest' || passed)
  return {
    findings: [...findings, ...reports.map(findingOf)],
    auth: typeof judged === 'string' ? undefined : judged,
    stored: holdsIt ? stored : undefined,
  }
}

async function explainToken(text: string, service: Service, mayFetch: boolean): Promise<Explained> {
  const { config } = service
  const issuers = new Map(config.issuers.map((policy) => [policy.issuer, createIssuer(policy, config)]))
  const findings: Finding[] = []
  try {
    const token = parseAccessToken(text, issuers, (check) => findings.push(findingOf(nameIssuers(check, text, config))))
    if ('reason' in token) {
      const { foreignIss } = token
      const mayBeResolved = config.resolver !== undefined && foreignIss !== undefined && isAskable(foreignIss)
      const last = findings.at(-1)
      const told = mayBeResolved && last !== undefined ? [...findings.slice(0, -1), notResolved(last)] : findings
      return { findings: told, ...REFUSED }
    }
    const hasKeys = mayFetch || token.policy.keySource.kind === 'static'
    findings.push(...(hasKeys ? await judgeSignature(token) : [NO_KEYS]))
    const now = config.clock() / 1000
    findings.push(...reportClaims(token, now).map(findingOf), findingOf(signInOf(token.claims, now)))
    const auth = claimedAuth(token, now)
    if (auth === undefined || findings.some(({ outcome }) => outcome === 'failed')) return { findings, ...REFUSED }
    if (service.keys.kind === 'url' || service.keys.kind === 'own') {
      // A service without a store, or whose store keeps no revocations of tokens, refuses none as revoked.
      const answer = await askStore(service.keys, config, async (store) =>
        isRevokedBy((await store.tokenRevocations?.(config.clock())) ?? [], auth),
      )
      const revoked = 'value' in answer && answer.value
      if ('fault' in answer) findings.push(answer.fault)
      else
        findings.push(revoked ? failed('revoked', 'no', 'yes, by the store', 'revoked') : passed('revoked', 'no', 'no'))
      findings.push(findingOf(namesOf(auth)))
    }
    return { findings, auth, stored: undefined }
  } finally {
    for (const issuer of issuers.values()) issuer.close()
  }
}

/** What a route with requireAuthentication() looks at. Every token passes: it depends on the route. */
function signInOf(claims: JsonObject, nowSeconds: number): CheckReport {
  const [acr, authTime] = [own(claims, 'acr'), own(claims, 'auth_time')]
  const context = acrOf(claims) === null ? `no acr that is a text (${show(acr)})` : `acr ${show(acr)}`
  const time = authTimeOf(claims) === null ? 'no auth_time that is a time' : 'auth_time'
  const found = `${acr === undefined ? 'no acr' : context}, ${authTime === undefined ? 'no auth_time' : `${time} ${showTime(authTime, nowSeconds)}`}`
  return { name: 'sign-in', passed: true, reason: 'claims', expected: 'what requireAuthentication() looks at', found }
}

/** By what a token can be revoked, at the keyring or by what its provider tells. Every token passes: this is told, not checked. */
function namesOf(auth: AccessTokenAuth): CheckReport {
  const { tokenId, sessionId, clientId } = auth
  const names = [
    sessionId === null ? 'no session: the end of one does not end it' : `session ${show(sessionId)}`,
    `subject ${subjectsOf(auth).map(show).join(' or ')}`,
    tokenId === null ? 'no token id' : `token id ${show(tokenId)}`,
    clientId === null ? 'no client' : `client ${show(clientId)}`,
  ]
  return { name: 'names', passed: true, reason: 'revoked', expected: 'what revokes it', found: names.join(', ') }
}

const OWN_LIMITS_MS = 20_000

/** Asks the store of the service, and closes it if it was opened for that. */
async function askStore<T>(
  keys: Extract<Service['keys'], { kind: 'url' | 'own' }>,
  { timeoutMs }: Configuration,
  ask: (store: KeyStore) => Promise<T>,
): Promise<{ readonly value: T } | { readonly fault: Finding }> {
  const store = keys.kind === 'own' ? keys.store : keys.open()
  // A store of the package has limits of its own, which its messages are better for.
  const limitMs = keys.kind === 'own' ? timeoutMs : OWN_LIMITS_MS
  try {
    return { value: await answerWithin(limitMs, 'the key store', ask(store)) }
  } catch (error) {
    const found = describeCause(error, LONGEST_REPORT)
    return {
      fault: open(
        'store',
        'an answer of the key store',
        found,
        'services answer 503 meanwhile; vantage-auth doctor says more',
      ),
    }
  } finally {
    if (keys.kind === 'url') await store.close()
  }
}

const NO_KEYS = open(
  'signature',
  "made by one of the issuer's keys",
  'not verified',
  'add --fetch to ask the issuer for its keys, or --jwks FILE',
)

async function judgeSignature(token: UnverifiedAccessToken): Promise<Finding[]> {
  const { issuer, alg, kid } = token
  const wanted = `a key of the issuer for ${alg}${kid === undefined ? '' : ' and its kid'}`
  let keys: readonly VerificationKey[]
  try {
    keys = await issuer.keysFor(alg, kid)
  } catch (error) {
    if (!isAuthError(error)) throw error
    const { cause } = error
    const found = describeCause(cause, LONGEST_REPORT)
    return [open('key', wanted, found, 'services answer 503 meanwhile; vantage-auth doctor says more')]
  }
  if (keys.length === 0) return [failed('key', wanted, 'none: the issuer does not publish such a key', 'key')]
  const verified = await verifyAccessToken(token, keys)
  return [
    passed('key', wanted, `a key for ${alg}${kid === undefined ? '' : ' with its kid'}`),
    verified === undefined
      ? failed('signature', 'made by that key', 'made by another key, or the token was changed since', 'signature')
      : passed('signature', 'made by that key', "made by the issuer's key"),
  ]
}
