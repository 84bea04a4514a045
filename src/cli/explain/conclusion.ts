import type { Auth } from '../../core/auth.js'
import type { Reason } from '../../core/errors.js'
import type { Explanation } from './credential.js'
import type { Finding } from './finding.js'

/** The answer of a whole explanation. */
export interface Conclusion {
  readonly verdict: 'accepted' | 'refused' | 'undecided'
  /** What a verifier would log. */
  readonly reason: Reason | null
  /** `accepted as …`, `refused because …` or `undecided because …`. */
  readonly summary: string
  /** What to do about it, or to know of it. */
  readonly cure: string
}

/** The first check that fails decides, as in a service; then the first that is open. */
export function conclude(explanation: Explanation): Conclusion {
  const { findings, auth } = explanation
  const failure = findings.find(({ outcome }) => outcome === 'failed')
  if (failure !== undefined) {
    const reason = failure.reason ?? 'malformed'
    const [because, cure] = REFUSALS[reason](failure, explanation)
    return { verdict: 'refused', reason, summary: `refused because ${because} (${reason})`, cure }
  }
  const opened = findings.find(({ outcome }) => outcome === 'open')
  if (opened !== undefined || auth === undefined) {
    const because = opened === undefined ? 'a check is missing' : openWords(opened)
    return { verdict: 'undecided', reason: null, summary: `undecided because ${because}`, cure: opened?.cure ?? '' }
  }
  const [who, cure] = acceptedWords(auth, explanation)
  return { verdict: 'accepted', reason: null, summary: `accepted as ${who}`, cure }
}

function openWords({ check, found }: Finding): string {
  if (check === 'signature') return 'its signature is not verified'
  if (check === 'iss') return `its issuer ${found} is not configured`
  if (check === 'key') return `the issuer's keys are not to be had: ${found}`
  return found.replace(/^The /, 'the ')
}

function acceptedWords(auth: Auth, { stored, findings }: Explanation): readonly [who: string, cure: string] {
  const scopes = auth.scopes.length === 0 ? withoutScope(findings) : `with ${auth.scopes.join(' ')}`
  const from = auth.kind === 'api_key' ? `key ${auth.keyId}` : `token of ${auth.issuer}`
  const who = `${auth.subject} ${scopes} (${from})`
  if (stored?.replacedBy) {
    const end = auth.expiresAt === null ? '' : `, this one ends ${auth.expiresAt.toISOString()}`
    return [who, `change to the key that replaces it, ${stored.replacedBy}${end}`]
  }
  if (findings.some(({ outcome }) => outcome === 'skipped')) {
    return [who, "unless the service's isRevoked refuses it, which was not called here"]
  }
  if (auth.kind === 'api_key') return [who, 'a 403 means that the route asks for another scope']
  return [
    who,
    'a 403 means that the route asks for another scope, a 401 insufficient_user_authentication for another sign-in: it compares acr or auth_time (row sign-in) with requireAuthentication()',
  ]
}

/** A claim that is there and empty says so itself. */
function withoutScope(findings: readonly Finding[]): string {
  const foundBy = (name: string) => findings.find(({ check }) => check === name)?.found ?? ''
  if (foundBy('grants').startsWith('none matches')) return 'without a scope, since no grant matches it,'
  const [places] = /^none\b[^:]*/.exec(foundBy('scope')) ?? []
  return places === undefined ? 'without a scope' : `without a scope, since it has ${places},`
}

type Words = (failure: Finding, explanation: Explanation) => readonly [because: string, cure: string]

const whole: Words = (_, { kind }) =>
  kind === 'API key'
    ? ['it is not a whole API key', 'copy it again, all of it']
    : ['it is neither an API key nor a JWT', 'copy it again, all of it; opaque access tokens are not accepted']

/** What providers send to revocation receivers, by its `typ`. */
const MESSAGES: readonly (readonly [typ: string, what: string, where: string])[] = [
  ['logout+jwt', 'a logout token', 'as logout_token of a form'],
  ['secevent+jwt', 'a security event token', 'as the body, of the type application/secevent+jwt'],
  ['global-token-revocation+jwt', 'a token of a Global Token Revocation', 'as the bearer token of a JSON request'],
]

/** Why, in words that follow "refused because", and the cure. A reason without an entry does not compile. */
const REFUSALS: { readonly [R in Reason]: Words } = {
  malformed: (failure, explanation) =>
    ['size', 'format', 'shape'].includes(failure.check)
      ? whole(failure, explanation)
      : [
          `its ${failure.check} is ${failure.found}`,
          `it must be ${failure.expected}; copy it again, or ask its issuer`,
        ],
  checksum: () => ['its checksum does not fit', 'it is mistyped or cut: copy it again'],
  environment: ({ found, expected, check }) => [
    `it is a key of ${found}, and the service accepts those of ${expected.split(',')[0]}`,
    check === 'environment'
      ? 'use another key, or set environment (VANTAGE_ENVIRONMENT) of the service'
      : 'its row in the store was changed by hand: make a new key',
  ],
  unknown: ({ check, found }) => {
    if (check === 'digest') {
      return ['the store has another secret for its id', 'copy the key again; if it is whole, somebody has made it up']
    }
    if (check === 'store' && found !== 'none') {
      return [found, 'the service takes no API keys: send an access token, or name a store in keys (VANTAGE_KEY_STORE)']
    }
    return ['the store has no such key', 'compare the store of the service with the one that the key was created in']
  },
  algorithm: ({ found, expected }) => [
    `its algorithm is ${found}`,
    `the issuer must sign with ${expected.replace(/^one of /, '')}`,
  ],
  type: ({ check, found }) => {
    const message = check.startsWith('typ') ? messageOf(found) : undefined
    if (message !== undefined) {
      const [, what, where] = message
      return [`it is ${what}, by its ${check}: ${found}`, `a provider sends it to a revocation receiver, ${where}`]
    }
    const ofIssuer = check.startsWith('typ') && ['none', '"JWT"'].includes(found)
    return [
      `it is ${kindOf(check, found)}, by its ${check}: ${found}`,
      `send the access token${ofIssuer ? '; if it is one, its issuer writes no at+jwt: set profile lenient (VANTAGE_PROFILE)' : ''}`,
    ]
  },
  issuer: ({ found, expected }) => [
    `its issuer ${found} is not configured`,
    entraVersion(found, expected) ??
      `configured is ${expected}; set issuer (VANTAGE_ISSUER) to the iss of the token, character for character, if you trust it`,
  ],
  key: ({ check, found }) => [
    check === 'kid' ? `its kid is ${found}` : 'its issuer does not publish the key that it names',
    'get a new token; if that one is refused too, compare its kid with the key set: vantage-auth doctor',
  ],
  signature: () => [
    "its signature is not by the issuer's key",
    'get a new token from the issuer, and find out who made this one',
  ],
  claims: ({ check, found, expected }) => {
    if (check === 'required claims') {
      return [
        `of the claims that the service requires it has ${found}`,
        `the service wants ${expected} (required): ask the issuer for another token`,
      ]
    }
    if (check === 'client is named') {
      return [
        'it names no client',
        'send the access token: ID tokens name none; if it is one, its issuer must send its client (requireClient)',
      ]
    }
    if (check === 'grants') {
      return [`a claim that grants compare is ${found}`, 'the issuer must send an object there, or leave it out']
    }
    return [`its ${check.split(' ')[0]} is ${found}`, `the issuer must send ${expected}`]
  },
  audience: ({ check, found, expected }) =>
    check === 'client of ours'
      ? [
          `its client is ${found}`,
          `the service takes the tokens of ${expected} alone (clients): ask for one as such a client, or add this one`,
        ]
      : [
          `it is for ${found === 'none' ? 'no audience' : found}`,
          OF_KEYCLOAK.test(found)
            ? `the service is ${expected}: add an audience mapper for it to the client (docs/providers/keycloak.md), and never accept what Keycloak writes into the tokens of any client`
            : `the service is ${expected}: ask the issuer for a token for that, or set audience (VANTAGE_AUDIENCE)`,
        ],
  expired: ({ found }, { stored }) => [
    `it ended ${found}`,
    stored?.replacedBy ? `use the key that replaces it, ${stored.replacedBy}` : 'get a new one',
  ],
  not_active: ({ check, found }) => [
    `its ${check} is ${found}`,
    'wait, or set the clocks right: vantage-auth doctor compares them',
  ],
  too_old: ({ found, expected }) => [
    `it was issued ${found}`,
    `the service takes those ${expected} (maxTokenAgeSeconds): get a new one`,
  ],
  sender_constrained: ({ found }) => [
    `it is ${found}`,
    'a plain bearer request proves no possession: ask the issuer for a bearer token',
  ],
  revoked: (_, { kind }) => [
    'it is revoked',
    kind === 'API key' ? 'create another one: a revocation is final' : 'get a new one',
  ],
}

/** Clients that every realm of Keycloak has. It names them in the tokens of any other. */
const OF_KEYCLOAK = /"(?:account|broker|realm-management)"/

/** @param found a `typ` as a check shows it */
function messageOf(found: string): (typeof MESSAGES)[number] | undefined {
  const typ = found.toLowerCase().replace(/^"(?:application\/)?|"$/g, '')
  return MESSAGES.find(([name]) => name === typ)
}

/** What is taken for an access token by mistake, where a check can tell. */
function kindOf(check: string, found: string): string {
  if (check === 'at_hash, c_hash, s_hash' || check === 'nonce') return 'an ID token'
  if (check === 'events') return 'a logout token or another security event'
  const [, kind] = /^"(id|refresh|offline|logout)"$/i.exec(found) ?? []
  if (kind === undefined || check === 'typ') return 'no access token'
  return kind.toLowerCase() === 'id' ? 'an ID token' : `${/^o/i.test(kind) ? 'an' : 'a'} ${kind.toLowerCase()} token`
}

const ENTRA = { 1: 'https://sts.windows.net/', 2: 'https://login.microsoftonline.com/' } as const

/** Both versions of Entra's access tokens are good; an API gets those that its manifest asks for. */
function entraVersion(found: string, expected: string): string | undefined {
  const version = ([1, 2] as const).find((one) => found.startsWith(`"${ENTRA[one]}`))
  if (version === undefined || !expected.includes(`"${ENTRA[version === 1 ? 2 : 1]}`)) return undefined
  return `configured is ${expected}; it is an access token of version ${version}: entra({ version: ${version} }), or requestedAccessTokenVersion ${3 - version} in the manifest of the API`
}
