import fc from 'fast-check'
import { createTestIssuer, encode, publicJwk, type TestIssuer } from './tokens.js'

/** In every text that a hostile client makes up: what must not come out anywhere. */
export const CANARY = 'cAnArY5eCreT'

/** Who signs and issues in a fuzzing run, and where a token may try to lead a verifier. */
export interface Surroundings {
  readonly issuers: readonly TestIssuer[]
  /** Keys in every state, as they were issued. */
  readonly apiKeys: readonly string[]
  /** An address that nobody configured. */
  readonly elsewhere: string
}

/** One request: its Authorization header lines as bytes in Latin-1, and where else it shows what it has. */
export interface HostileRequest {
  readonly lines: readonly string[]
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
}

/** Requests of every kind between a good credential and noise. */
export function hostileRequests(surroundings: Surroundings): fc.Arbitrary<HostileRequest> {
  const credential = fc.oneof(
    { weight: 6, arbitrary: tokens(surroundings) },
    { weight: 3, arbitrary: apiKeys(surroundings) },
    { weight: 1, arbitrary: noise },
  )
  const line = fc.oneof(
    { weight: 12, arbitrary: credential.map((text) => `Bearer ${text}`) },
    { weight: 1, arbitrary: fc.tuple(scheme, credential).map(([before, text]) => before + text) },
    { weight: 1, arbitrary: fc.tuple(credential, separator, credential).map(([a, by, b]) => `Bearer ${a}${by}${b}`) },
    { weight: 1, arbitrary: fc.constantFrom('', ' ', 'Bearer', 'Bearer ', 'Basic Og==', 'bearer  ', ',', '=') },
    { weight: 1, arbitrary: noise },
  )
  const request = fc.record({
    lines: fc.oneof(
      { weight: 20, arbitrary: line.map((one) => [one]) },
      { weight: 1, arbitrary: fc.array(line, { minLength: 0, maxLength: 3 }) },
      { weight: 1, arbitrary: line.map((one) => [one, one]) },
    ),
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST'),
    path: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('/self', '/all', '/any') },
      { weight: 1, arbitrary: fc.constantFrom('/unknown', '/self?access_token=', '/all?authorization=Bearer%20') },
    ),
  })
  // Beyond 16 KiB of headers Node answers 431, and nobody else is asked.
  return request.filter(({ lines }) => lines.join('').length < 15_000)
}

const scheme = fc.constantFrom(
  'bearer ',
  'BEARER   ',
  'Bearer\t',
  'Bearer',
  'Bearer:',
  'Basic ',
  'DPoP ',
  '"Bearer" ',
  '',
)
const separator = fc.constantFrom(' ', ',', ', Bearer ', ';', '\t', '.')

/** Characters that reach a server in a header value: all of Latin-1 but the control characters. */
const latin1 = fc.constantFrom(
  ...Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((character) =>
    /[\t\x20-\x7e\x80-\xff]/.test(character),
  ),
)
const noise = fc.oneof(
  fc.string({ unit: latin1, maxLength: 60 }).map((text) => `${text}${CANARY}`),
  fc.string({ unit: fc.constantFrom(...'aA0-_~+/.=%'), maxLength: 200 }).map((text) => `${CANARY}${text}`),
  fc.constantFrom(8191, 8192, 8193, 9000).map((length) => CANARY.padEnd(length, 'x')),
  fc.constantFrom(100, 4000).map((dots) => `${CANARY}${'.'.repeat(dots)}`),
)

/** JSON text of any value, of the sizes and types that a claim should not have. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('null', 'true', '0', '-0', '-1', '9e9', '1e20', '1e999', '""', '[]', '{}') },
  { weight: 2, arbitrary: fc.json({ maxDepth: 3 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      `"${CANARY}"`,
      `["${CANARY}"]`,
      `{"${CANARY}":1}`,
      '"__proto__"',
      '["constructor"]',
      `${'['.repeat(500)}${']'.repeat(500)}`,
      `"${'\\u0000'.repeat(20)}"`,
      '"\\ud800"',
      '"é€😀\\r\\nSet-Cookie: x"',
      `{"id":"${CANARY}","roles":["constructor","Clusters.Read",${JSON.stringify(CANARY)}]}`,
    ),
  },
)

function tokens({ issuers, elsewhere }: Surroundings): fc.Arbitrary<string> {
  const attacker = createTestIssuer({ kid: 'attacker' })
  const url = fc.constantFrom(
    elsewhere,
    `${elsewhere}/jwks.json`,
    ...issuers.flatMap(({ issuer }) => [issuer, `${issuer}/`, `${issuer}@${new URL(elsewhere).host}`]),
  )
  const claim = fc.constantFrom(
    ...[
      'iss',
      'aud',
      'exp',
      'nbf',
      'iat',
      'sub',
      'client_id',
      'jti',
      'scope',
      'scp',
      'cnf',
      'org',
      'tid',
      'who',
      'ver',
      'azp',
      'act',
      'a.b',
      '__proto__',
      'toString',
    ],
  )
  const member = fc.constantFrom(
    ...['typ', 'alg', 'kid', 'crit', 'b64', 'cty', 'jku', 'jwk', 'x5u', 'x5c', 'zip', '__proto__', 'constructor'],
  )
  const headerValue = fc.oneof(
    value,
    fc.constantFrom('none', 'HS256', 'ES256', 'RS256', 'EdDSA', 'JWT', 'at+jwt', 'dpop+jwt').map((text) => `"${text}"`),
    url.map((text) => JSON.stringify(text)),
    fc.string({ maxLength: 20 }).map((kid) => JSON.stringify(`${CANARY}${kid}`)),
    fc.constant(JSON.stringify(publicJwk(attacker.publicKey))),
  )
  const changes = fc.array(
    fc.oneof(
      fc.record({ part: fc.constant('payload' as const), name: claim, json: fc.option(value, { nil: undefined }) }),
      fc.record({
        part: fc.constant('payload' as const),
        name: fc.constantFrom('exp', 'nbf', 'iat'),
        json: fc.constantFrom('0', '1', '1e9', '9e9', '-1', '1e20', '"1"', '253402300799', '253402300800'),
      }),
      fc.record({
        part: fc.constant('payload' as const),
        name: fc.constantFrom('iss', 'aud', 'sub'),
        json: url.map((text) => JSON.stringify(text)),
      }),
      fc.record({
        part: fc.constant('header' as const),
        name: member,
        json: fc.option(headerValue, { nil: undefined }),
      }),
    ),
    { maxLength: 3 },
  )
  const edit = fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({
        at: fc.noBias(fc.nat(9999)),
        remove: fc.nat(3),
        add: fc.oneof(fc.string({ unit: latin1, maxLength: 3 }), fc.constantFrom('.', '..', '=', '-', '%00')),
      }),
    },
  )
  // Signed once for all: RSA costs a millisecond.
  const signed = issuers.flatMap((issuer) => [
    issuer.mint(),
    issuer.mint({ scope: 'jobs:write' }),
    issuer.mint({ exp: 1 }),
  ])

  return fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...signed) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom(...signed), edit).map(([token, change]) => edited(token, change)),
    },
    {
      weight: 5,
      arbitrary: fc
        .tuple(fc.constantFrom(...issuers.filter(({ alg }) => !alg.startsWith('R')), attacker), changes, edit)
        .map(([issuer, list, change]) => {
          const text = { payload: JSON.stringify(issuer.claims()), header: JSON.stringify(issuer.header()) }
          for (const { part, name, json } of list) text[part] = withMember(text[part], name, json)
          return edited(issuer.mintRaw(text), change)
        }),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }))
        .map((parts) => [...parts.map((part) => encode(part)), encode(CANARY)].slice(0, 3).join('.')),
    },
  )
}

/** Replaces a member, adds it, or leaves it out, in JSON text: `__proto__` and 1e999 come through. */
export function withMember(object: string, name: string, json: string | undefined): string {
  const members = Object.entries(JSON.parse(object) as Record<string, unknown>)
    .filter(([key]) => key !== name)
    .map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(member)}`)
  return `{${[...members, ...(json === undefined ? [] : [`${JSON.stringify(name)}:${json}`])].join(',')}}`
}

function edited(text: string, change: { at: number; remove: number; add: string } | undefined): string {
  if (change === undefined) return text
  const index = Math.floor((change.at / 10_000) * text.length)
  return text.slice(0, index) + change.add + text.slice(index + change.remove)
}

function apiKeys(surroundings: Surroundings): fc.Arbitrary<string> {
  const known = fc.constantFrom(...surroundings.apiKeys)
  return fc.oneof(
    { weight: 3, arbitrary: known },
    {
      weight: 3,
      arbitrary: fc
        .tuple(known, fc.noBias(fc.nat(9999)), fc.nat(3), fc.string({ unit: latin1, maxLength: 3 }))
        .map(([key, at, remove, add]) => edited(key, { at, remove, add })),
    },
    {
      weight: 1,
      arbitrary: fc.string({ unit: fc.constantFrom(...'aA0zZ9_-'), maxLength: 70 }).map((text) => `vak_live_${text}`),
    },
  )
}
