import { describe, expect, test } from 'vitest'
import { describePolicy } from '../../src/config/effective-policy.js'
import type { IssuerOptions } from '../../src/config/options.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { messageOf, resolve } from '../support/options.js'
import { createTestIssuer } from '../support/tokens.js'

const ISSUER = 'https://a.example'

/** With what an entry is refused. */
const faultOf = (options: object) => messageOf({ issuer: ['https://x.example', { issuer: ISSUER, ...options }] })
const described = (options: object) => describePolicy(resolve({ issuer: [{ issuer: ISSUER, ...options }] })).issuers[0]

const NO_REFERENCES: [what: string, value: unknown][] = [
  ['an empty text', ''],
  ['a text that begins with a dot', '.a'],
  ['a text that ends with a dot', 'a.'],
  ['a step that is empty', 'a..b'],
  ['a dot', '.'],
  ['an empty list', []],
  ['a list with an empty text', ['a', '']],
  ['a list with a number', ['a', 0]],
  ['a list within the list', [['a']]],
  ['a list with a hole', new Array(1)],
  ['eleven steps', 'a.b.c.d.e.f.g.h.i.j.k'],
  ['a list of eleven', [...'abcdefghijk']],
  ['a step of 257 characters', 'x'.repeat(257)],
  ['a name with :// of 257 characters', `https://${'x'.repeat(249)}`],
  ['an object', { name: 'a' }],
  ['null', null],
  ['a number', 7],
]

describe('the name of a claim', () => {
  const names = ['subjectClaim', 'tenantClaim', 'clientIdClaim', 'sessionClaim'] as const

  test.each(NO_REFERENCES)('is not %s', (_, value) => {
    for (const name of names) {
      expect(faultOf({ [name]: value })).toMatch(new RegExp(`^issuer\\[1\\]\\.${name} must be the name of a claim`))
      expect(messageOf({ [name]: value })).toMatch(new RegExp(`^${name} must be the name of a claim`))
    }
    for (const name of ['scopeClaims', 'subjectAliases']) {
      expect(faultOf({ [name]: ['a', value] })).toMatch(
        new RegExp(`^issuer\\[1\\]\\.${name} must be a text, or a list`),
      )
    }
  })

  test('in a list of them is no list that has others in it', () => {
    for (const value of ['', [], [''], [7], [[]], [[[]]], {}, null, 7, new Array(1)]) {
      expect(faultOf({ scopeClaims: value })).toMatch(/^issuer\[1\]\.scopeClaims must be a text, or a list with one/)
      expect(faultOf({ subjectAliases: value })).toMatch(/^issuer\[1\]\.subjectAliases must be a text, or a list with/)
    }
  })

  test.each([
    ['tenant_id'],
    ['realm_access.roles'],
    ['https://example.com/a.b'],
    [['kubernetes.io', 'namespace']],
    [['a.b']],
    [['a', 'b']],
    ['__proto__'],
  ])('is described as it was given: %j', (reference) => {
    for (const name of names) expect(described({ [name]: reference })?.[name]).toEqual(reference)
    for (const name of ['scopeClaims', 'subjectAliases'] as const) {
      expect(described({ [name]: ['x', reference] })?.[name]).toEqual(['x', reference])
    }
  })

  test('is copied, and read once', () => {
    const path = ['org', 'id']
    const scopeClaims = [path, 'scope']
    const config = resolve({ issuer: [{ issuer: ISSUER, tenantClaim: path, scopeClaims }] })
    path[1] = 'other'
    scopeClaims.length = 0
    expect(describePolicy(config).issuers).toMatchObject([
      { tenantClaim: ['org', 'id'], scopeClaims: [['org', 'id'], 'scope'] },
    ])
  })
})

describe('options of an issuer', () => {
  const all = {
    preset: 'acme',
    clients: ['app_1'],
    scopeClaims: ['scope', 'realm_access.roles', ['kubernetes.io', 'namespace']],
    scopes: 'union',
    scopeMap: { 'Jobs.Read': 'jobs:read', admin: ['jobs:read', 'jobs:write'] },
    grants: [
      { match: { sub: 'repo:acme/*', fork: false }, scopes: ['jobs:read'] },
      { match: { 'pod.name': 'p' }, scopes: ['jobs:write'] },
    ],
    subjectClaim: 'oid',
    subjectAliases: ['uid', ['a.b']],
    tenantClaim: 'tid',
    clientIdClaim: 'azp',
    sessionClaim: 'session.id',
    required: { tid: 't', ver: [1, 2], ok: true },
  } as const satisfies Partial<IssuerOptions>

  test('are described, lists in place of single values', () => {
    expect(described(all)).toMatchObject({
      ...all,
      scopeMap: { 'Jobs.Read': ['jobs:read'], admin: ['jobs:read', 'jobs:write'] },
      required: { tid: ['t'], ver: [1, 2], ok: [true] },
    })
  })

  test('are described by a verifier as JSON, without what is not configured', () => {
    const { options } = createTestIssuer()
    const text = JSON.stringify(createVerifier({ ...options, keys: false }).describe().issuers)
    for (const name of Object.keys(all)) if (name !== 'scopeClaims') expect(text).not.toContain(`"${name}"`)
    expect(text).toContain('"scopeClaims":["scope","scp"]')
  })

  test('are frozen throughout, and copied', () => {
    const given = structuredClone(all)
    const config = resolve({ issuer: [{ issuer: ISSUER, ...given }] })
    const before = JSON.stringify(describePolicy(config))
    for (const value of Object.values(given)) {
      if (Array.isArray(value)) value.length = 0
      else if (typeof value === 'object') for (const name of Object.keys(value)) delete (value as never)[name]
    }
    expect(JSON.stringify(describePolicy(config))).toBe(before)
    const thawed: string[] = []
    const visit = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null || value instanceof URL) return
      if (!Object.isFrozen(value)) thawed.push(path)
      for (const [name, inner] of Object.entries(value)) visit(inner, `${path}.${name}`)
    }
    visit(config.issuers, 'issuers')
    expect(thawed).toEqual([])
  })

  test('are shared by all issuers, save for those that mean something of one issuer alone', () => {
    const { preset, clients, grants, ...shared } = all
    const { issuers } = describePolicy(resolve({ ...shared, issuer: [ISSUER, { issuer: 'https://b.example' }] }))
    for (const issuer of issuers) expect(issuer).toMatchObject({ subjectClaim: 'oid', required: { ok: [true] } })
    for (const [name, value] of Object.entries({ preset, clients, grants })) {
      expect(messageOf({ [name]: value })).toMatch(new RegExp(`^unknown option "${name}"`))
    }
    for (const name of [
      'preset',
      'clients',
      'grants',
      'requireClient',
      'tenants',
      'trustDomain',
      'allowInsecureHttp',
    ]) {
      expect(messageOf({ [name]: 'x' })).toBe(
        `unknown option "${name}"; put it into the entry of its issuer: issuer: [{ …, ${name} }]`,
      )
    }
  })

  test('replace the shared ones', () => {
    const { issuers } = describePolicy(
      resolve({
        ...{ subjectClaim: 'x', scopes: 'union', scopeClaims: 'y' },
        issuer: [{ issuer: ISSUER, ...all, scopes: 'first' }],
      }),
    )
    expect(issuers).toMatchObject([{ subjectClaim: 'oid', scopes: 'first', scopeClaims: all.scopeClaims }])
  })

  test('require what the shared ones require, and more', () => {
    const requiredOf = (shared: object, own: object | undefined) =>
      describePolicy(resolve({ required: shared as never, issuer: [{ issuer: ISSUER, required: own as never }] }))
        .issuers[0]?.required
    expect(requiredOf({ a: 1 }, { b: 2 })).toEqual({ a: [1], b: [2] })
    expect(requiredOf({ a: 1 }, undefined)).toEqual({ a: [1] })
    expect(requiredOf({ a: ['x', 'y', 1] }, { a: ['z', 'y', '1'], b: 2 })).toEqual({ a: ['y'], b: [2] })
    expect(messageOf({ required: { a: ['x', 1] }, issuer: [{ issuer: ISSUER, required: { a: ['y', '1'] } }] })).toMatch(
      /^issuer\[0\]\.required\["a"\] has no value that the shared option required has/,
    )
  })

  test('may name no claims for scopes where there are grants, and nowhere else', () => {
    const { grants } = all
    expect(described({ scopeClaims: [], grants })).toMatchObject({ scopeClaims: [], grants })
    expect(described({ scopeClaims: [], grants: [] })).toMatchObject({ scopeClaims: [] })
    expect(faultOf({ scopeClaims: [] })).toMatch(/^issuer\[1\]\.scopeClaims must .* unless the entry has grants/)
    expect(messageOf({ scopeClaims: [], issuer: [{ issuer: ISSUER, grants }] })).toMatch(/^scopeClaims must be a text/)
  })

  test('name a path that is a list by a key that is JSON', () => {
    const key = '["kubernetes.io", "namespace"]'
    const match = { '["kubernetes.io","namespace"]': 'jobs' }
    expect(described({ required: { [key]: 'jobs' } })?.required).toEqual({ '["kubernetes.io","namespace"]': ['jobs'] })
    expect(described({ grants: [{ match: { [key]: 'jobs' }, scopes: ['a'] }] })?.grants).toEqual([
      { match, scopes: ['a'] },
    ])
    for (const bad of ['[', '[]', '["a"', '[1]', '["a", ""]', '[["a"]]', "['a']"]) {
      const message = /has a name that is none: .*written as JSON: '\["kubernetes.io", "namespace"\]'$/
      expect(faultOf({ required: { [bad]: 'x' } })).toMatch(message)
      expect(faultOf({ grants: [{ match: { [bad]: 'x' }, scopes: ['a'] }] })).toMatch(message)
    }
  })
})

describe('what is wrong at start', () => {
  const noScopes = [undefined, null, '', 'a b', 'a,b', 'ä', [], [''], ['a', 'b c'], [7], {}, 7, new Array(1)]

  test.each<[name: string, values: unknown[]]>([
    ['preset', [null, '', 7, 'x'.repeat(65), 'a\nb', 'ä', []]],
    ['scopes', [null, '', 'all', 'UNION', ['union'], true]],
    ['clients', [null, '', 'client_1', [], [''], [7], {}, new Array(1)]],
    ['required', [null, '', 'tid', 7, [], {}, /x/, new Map([['a', 'b']]), Object.create({ tid: 't' })]],
    ['scopeMap', [null, '', 7, [], {}, new Map([['a', 'b']]), Object.create({ a: 'b' })]],
    ['grants', [null, '', 7, {}, true, 'x']],
  ])('names the option: %s', (name, values) => {
    for (const value of values) expect(faultOf({ [name]: value })).toMatch(new RegExp(`^issuer\\[1\\]\\.${name} `))
  })

  test('names the scope of a map', () => {
    for (const value of noScopes) {
      expect(faultOf({ scopeMap: { ok: 'ok', 'Jobs.Read': value } })).toMatch(
        /^issuer\[1\]\.scopeMap\["Jobs\.Read"\] must be scope tokens/,
      )
    }
  })

  test('names the required claim', () => {
    for (const value of [undefined, null, '', Number.NaN, Infinity, [], [null], ['a', ''], [['a']], {}, /a/, 1n]) {
      expect(faultOf({ required: { ok: true, tid: value } })).toMatch(/^issuer\[1\]\.required\["tid"\] must be a text/)
    }
    for (const key of ['', 'a..b', '.a']) {
      expect(faultOf({ required: { [key]: 'x' } })).toMatch(/^issuer\[1\]\.required has a name that is none/)
    }
  })

  test('is a number that others are equal to', () => {
    for (const value of [2 ** 53, -(2 ** 53), 1e19, Number.MAX_VALUE]) {
      const message = /is beyond 2\^53 - 1, .*; give a text/
      expect(faultOf({ required: { id: value } })).toMatch(message)
      expect(faultOf({ required: { id: ['x', value] } })).toMatch(message)
      expect(faultOf({ grants: [{ match: { id: value }, scopes: ['a'] }] })).toMatch(message)
    }
    for (const value of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.5, -1, 0]) {
      expect(described({ required: { id: value } })?.required).toEqual({ id: [value] })
    }
  })

  test('is a map that makes very much of little', () => {
    const listOf = (length: number) => Array.from({ length }, (_, i) => `s${i}`)
    expect(faultOf({ scopeMap: { a: listOf(51) } })).toBe('issuer[1].scopeMap["a"] must be 50 scopes at most')
    const mapOf = (length: number) => Object.fromEntries(listOf(length).map((name) => [name, 'x']))
    expect(faultOf({ scopeMap: mapOf(1001) })).toBe('issuer[1].scopeMap must have 1000 names at most')
    expect(described({ scopeMap: { ...mapOf(999), a: listOf(50) } })?.scopeMap?.a).toHaveLength(50)
  })

  test.each<[what: string, entry: unknown, message: RegExp]>([
    ['null', null, /^issuer\[1\]\.grants\[1\] must be \{ match, scopes \}$/],
    ['a text', 'x', /^issuer\[1\]\.grants\[1\] must be \{ match, scopes \}$/],
    ['nothing', {}, /^issuer\[1\]\.grants\[1\]\.match must be an object/],
    ['an empty match', { match: {}, scopes: ['a'] }, /\.grants\[1\]\.match must be an object of claims .* one member/],
    ['a RegExp for a match', { match: /x/, scopes: ['a'] }, /\.grants\[1\]\.match must be an object of claims/],
    [
      'a list for a match',
      { match: [{ sub: 'a' }], scopes: ['a'] },
      /\.grants\[1\]\.match must be an object of claims/,
    ],
    ['an unknown member', { match: { sub: 'a' }, scope: ['a'] }, /^unknown issuer\[1\]\.grants\[1\] option "scope"/],
    [
      'an inherited match',
      Object.create({ match: { sub: 'a' } }),
      /^issuer\[1\]\.grants\[1\] option match is inherited/,
    ],
    ['no reference', { match: { 'a..b': 'x' }, scopes: ['a'] }, /\.grants\[1\]\.match has a name that is none/],
  ])('names the grant: %s', (_, entry, message) => {
    const good = { match: { sub: 'a' }, scopes: ['a'] }
    expect(faultOf({ grants: [good, entry] })).toMatch(message)
  })

  test('names the scopes of a grant', () => {
    for (const scopes of [...noScopes, 'jobs:read']) {
      expect(faultOf({ grants: [{ match: { sub: 'a' }, scopes }] })).toMatch(
        /^issuer\[1\]\.grants\[0\]\.scopes must be scope tokens/,
      )
    }
  })

  test('names the value that a grant compares', () => {
    for (const value of [undefined, null, '', Number.NaN, Infinity, [], ['a'], {}, /a/, new Date(), 1n, Symbol('a')]) {
      expect(faultOf({ grants: [{ match: { sub: value }, scopes: ['a'] }] })).toMatch(
        /^issuer\[1\]\.grants\[0\]\.match\["sub"\] must be a text/,
      )
    }
  })

  test.each(['*', '**', 'a*', 'jobs-*', 'a:**', '*:a', '*a', 'a:*:b', 'a:*:*', 'a/*/b', 'a.*', 'a *', 'a:* ', 'a:*\n'])(
    'is a pattern that ends elsewhere than a name ends: %j',
    (value) => {
      expect(faultOf({ grants: [{ match: { sub: value }, scopes: ['a'] }] })).toMatch(
        /^issuer\[1\]\.grants\[0\]\.match\["sub"\] may have one \* alone, at its end and behind a : or a \//,
      )
    },
  )

  test.each(['a:*', 'a/*', 'a:b:*', 'https://a.example/*', ':*', 'a\n:*'])(
    'is no pattern that ends where a name ends: %j',
    (value) => {
      expect(described({ grants: [{ match: { sub: value }, scopes: ['a'] }] })?.grants).toEqual([
        { match: { sub: value }, scopes: ['a'] },
      ])
    },
  )

  test('shows no value that may be secret', () => {
    const secret = 'vak_live_abcdefghijklmnopqrstuvwxyz0123456789'
    const mistakes = [
      { required: { tid: [secret, null] } },
      { required: { [secret]: null } },
      { required: { [`${secret}..`]: secret } },
      { scopeMap: { [secret]: `${secret} ` } },
      { clients: [secret, 7] },
      { preset: `${secret}${secret}` },
      { subjectClaim: `${secret}.` },
      { scopes: secret },
      { grants: [{ match: { [secret]: `${secret}*` }, scopes: ['a'] }] },
      { grants: [{ match: { sub: 'a' }, scopes: [`${secret} `] }] },
    ]
    for (const options of mistakes) expect(faultOf(options)).not.toContain(secret.slice(9))
  })
})
