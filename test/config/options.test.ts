import { describe, expect, test, vi } from 'vitest'
import { type IssuerOptions, resolveOptions, type VerifierOptions } from '../../src/config/options.js'
import { issuerOf, messageOf, resolve, useEmptyFolder } from '../support/options.js'
import { createKeyPair, publicJwk } from '../support/tokens.js'

const ISSUER = 'https://auth.vantage.omnivector.solutions'
const AUDIENCE = 'https://api.vantage.omnivector.solutions'

// Nothing of the machine's own: no files, and no variables.
useEmptyFolder()

const ec = createKeyPair('ES256').publicKey
const jwks = { keys: [publicJwk(ec, { kid: '1' })] }

describe('the defaults', () => {
  test('are those of the documentation', () => {
    const { clock, fetch, ...rest } = resolve()
    expect(rest).toEqual({
      clockToleranceSeconds: 5,
      issuers: [
        {
          issuer: ISSUER,
          audience: [AUDIENCE],
          keySource: { kind: 'discovery', url: new URL(ISSUER) },
          profile: 'rfc9068',
          algorithms: 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' '),
          scopeClaims: ['scope', 'scp'].map((name) => ({ reference: name, name, inner: [] })),
          scopeSeparator: 'comma',
          tenantClaim: undefined,
          clientIdClaim: undefined,
          clockToleranceSeconds: 5,
          maxTokenAgeSeconds: undefined,
        },
      ],
      environment: 'live',
      cache: { maxEntries: 10_000, maxBytes: 16 * 1024 * 1024, ttlMs: 300_000 },
      isRevoked: undefined,
      keySetMaxStaleMs: 3_600_000,
      storeMaxStaleMs: 0,
      realm: 'vantage',
      timeoutMs: 3000,
      outageNotices: true,
      keys: false,
    })
    expect(Math.abs(clock() - Date.now())).toBeLessThan(1000)
    expect(fetch).toBeTypeOf('function')
  })

  test('are the same for options that are undefined and variables that are empty', () => {
    const names: (keyof VerifierOptions)[] = ['issuer', 'audience', 'jwksUri', 'jwks', 'profile', 'algorithms', 'realm']
    names.push('clientIdClaim', 'scopeSeparator')
    names.push('scopeClaims', 'tenantClaim', 'clockToleranceSeconds', 'maxTokenAgeSeconds', 'environment', 'cache')
    names.push('isRevoked', 'keySetMaxStaleSeconds', 'storeMaxStaleSeconds', 'timeoutMs', 'fetch', 'clock')
    const options = Object.fromEntries(names.map((name) => [name, undefined]))
    const variables = ['ISSUER', 'AUDIENCE', 'JWKS_URI', 'PROFILE', 'KEY_STORE', 'ENVIRONMENT']
    const env = Object.fromEntries(variables.map((name, i) => [`VANTAGE_${name}`, i % 2 ? '' : ' \t']))
    expect(JSON.stringify(resolve(options, env))).toBe(JSON.stringify(resolve()))
  })

  test('follow whoever replaces the clock and the fetch of the runtime', async () => {
    const { clock, fetch } = resolve()
    vi.useFakeTimers({ now: 12_345 })
    vi.stubGlobal('fetch', async () => 'replaced')
    try {
      expect(clock()).toBe(12_345)
      expect(await fetch('https://x.example')).toBe('replaced')
    } finally {
      vi.useRealTimers()
      vi.unstubAllGlobals()
    }
  })
})

describe('the environment', () => {
  test('says what no option says', () => {
    const env = {
      VANTAGE_ISSUER: ' https://a.example ',
      VANTAGE_AUDIENCE: 'one, two three',
      VANTAGE_JWKS_URI: 'https://keys.example/jwks',
      VANTAGE_PROFILE: 'lenient',
      VANTAGE_ENVIRONMENT: 'test',
    }
    const { issuers, environment } = resolve({}, env)
    expect(issuers).toMatchObject([
      {
        issuer: 'https://a.example',
        audience: ['one', 'two', 'three'],
        keySource: { kind: 'jwks_uri', url: new URL('https://keys.example/jwks') },
        profile: 'lenient',
      },
    ])
    expect(environment).toBe('test')
  })

  test('gives way to each option', () => {
    const env = {
      VANTAGE_ISSUER: 'https://a.example',
      VANTAGE_AUDIENCE: 'one',
      VANTAGE_JWKS_URI: 'https://a.example/jwks',
      VANTAGE_PROFILE: 'lenient',
      VANTAGE_ENVIRONMENT: 'test',
      VANTAGE_KEY_STORE: 'sqlite:absent.db',
    }
    const options = { issuer: 'https://b.example', audience: 'two', profile: 'rfc9068', environment: 'live' }
    const { issuers, environment } = resolve(options, env)
    expect(issuers).toMatchObject([{ issuer: 'https://b.example', audience: ['two'], profile: 'rfc9068' }])
    // The variable is about the issuer of the environment.
    expect(issuers[0]?.keySource.kind).toBe('discovery')
    expect(environment).toBe('live')
    const own = { jwksUri: 'https://c.example/jwks' }
    expect(issuerOf(own, env)?.keySource).toEqual({ kind: 'jwks_uri', url: new URL('https://c.example/jwks') })
    expect(issuerOf({ jwks }, env)?.keySource.kind).toBe('static')
  })

  test('goes with the default issuer as well', () => {
    const env = { VANTAGE_JWKS_URI: 'https://keys.example/jwks' }
    expect(issuerOf({}, env)).toMatchObject({ issuer: ISSUER, keySource: { kind: 'jwks_uri' } })
  })

  test('may list issuers, separated by commas or spaces', () => {
    const { issuers } = resolve({}, { VANTAGE_ISSUER: 'https://a.example,https://b.example  https://c.example' })
    expect(issuers.map(({ issuer }) => issuer)).toEqual(['https://a.example', 'https://b.example', 'https://c.example'])
  })

  test('says false as text', () => {
    expect(resolve({}, { VANTAGE_ISSUER: 'false', VANTAGE_JWKS_URI: 'https://a.example/jwks' }).issuers).toEqual([])
    expect(resolveOptions({}, { VANTAGE_KEY_STORE: 'false' }).keys).toBe(false)
  })

  test.each([
    ['VANTAGE_ISSUER', 'nonsense', 'is not a URL'],
    ['VANTAGE_ISSUER', ',', 'must be an issuer URL'],
    ['VANTAGE_ISSUER', 'https://a.example,false', 'is not a URL'],
    ['VANTAGE_ISSUER', 'https://a.example https://a.example', 'one issuer twice'],
    ['VANTAGE_AUDIENCE', ' , ', 'one entry at least'],
    ['VANTAGE_JWKS_URI', 'http://a.example/jwks', 'must be https'],
    ['VANTAGE_OUTAGE_NOTICES', 'no', 'must be true, 1, false or 0'],
    ['VANTAGE_ALLOW_INSECURE_HTTP', 'yes', 'must be true, 1, false or 0'],
    ['VANTAGE_PROFILE', 'strict', '"rfc9068" or "lenient"'],
    ['VANTAGE_ENVIRONMENT', 'prod', '"live" or "test"'],
    ['VANTAGE_KEY_STORE', 'mysql://localhost', 'must be'],
  ])('is blamed by name: %s=%s', (name, value, cure) => {
    const message = messageOf(name === 'VANTAGE_KEY_STORE' ? {} : { keys: false }, { [name]: value })
    expect(message).toMatch(new RegExp(`^${name}`))
    expect(message).toContain(cure)
  })

  test('with one key set for several issuers is a mistake', () => {
    const env = { VANTAGE_ISSUER: 'https://a.example https://b.example', VANTAGE_JWKS_URI: 'https://a.example/jwks' }
    expect(messageOf({ keys: false }, env)).toMatch(/^VANTAGE_JWKS_URI is for a single issuer/)
  })
})

describe('what is wrong at start', () => {
  const nothing = [null, '', 0, Number.NaN, true, [], {}, () => {}]
  const wrong: [name: keyof VerifierOptions, values: unknown[]][] = [
    ['issuer', [null, '', 0, true, [], {}, ['https://a.example', 7], [[]], new Array(1), () => {}]],
    ['audience', [null, '', 0, true, [], [''], ['a', 7], [['a']], new Array(1), {}]],
    ['jwksUri', [null, '', 0, true, [], {}, 'x', 'ftp://a.example', 'http://a.example/jwks', 'https://u:p@a.example']],
    [
      'jwks',
      [
        null,
        '',
        0,
        true,
        [],
        {},
        { keys: [] },
        { keys: [7] },
        { keys: jwks },
        { keys: new Array(1001).fill(jwks.keys[0]) },
      ],
    ],
    ['profile', [...nothing, 'RFC9068', ['lenient']]],
    ['algorithms', [null, '', 'RS256', [], ['HS256'], ['none'], ['RS256', 'rs256'], [['RS256']], new Array(1), {}]],
    ['scopeClaims', [null, '', 0, [], [''], [7], {}]],
    ['tenantClaim', nothing],
    ['clientIdClaim', nothing],
    ['scopeSeparator', [...nothing, 'COMMA', ',', ' ', ['comma']]],
    ['clockToleranceSeconds', [null, '5', Number.NaN, -1, 301, Number.POSITIVE_INFINITY, [], true]],
    ['maxTokenAgeSeconds', [null, '5', Number.NaN, 0, -1, 1e12, true]],
    ['keys', [null, '', 0, true, [], {}, { find: true }, 'redis://h', 'sqlite:', 'sqlite::memory:']],
    ['environment', [...nothing, 'LIVE', 'prod']],
    ['cache', [null, '', 0, true, [], () => {}]],
    ['isRevoked', [null, '', 0, true, [], {}]],
    ['keySetMaxStaleSeconds', [null, '1', Number.NaN, 0, 604_801, true]],
    ['storeMaxStaleSeconds', [null, '1', Number.NaN, -1, 86_401, true]],
    ['realm', [null, '', 0, 'a"b', 'a\\b', 'a\nb', 'ä', []]],
    ['fetch', [null, '', 0, {}, []]],
    ['timeoutMs', [null, '1', Number.NaN, 0, 60_001, true]],
    ['clock', [null, 0, {}, new Date()]],
  ]
  test.each(wrong)('names the option: %s', (name, values) => {
    for (const value of values) {
      expect(messageOf({ keys: false, [name]: value })).toMatch(new RegExp(`^${name}(?=[ .[:])`))
    }
  })

  test.each([
    ['maxEntries', [null, 0, -1, 1.5, '1', Number.NaN, 1e9]],
    ['maxBytes', [null, 0, 1.5, '1', Number.NaN, 1e12]],
    ['ttlSeconds', [null, 0, '1', Number.NaN, 86_401]],
  ])('names the option: cache.%s', (name, values) => {
    for (const value of values) expect(messageOf({ cache: { [name]: value } })).toMatch(new RegExp(`^cache\\.${name} `))
  })

  const wrongInEntry: [name: keyof IssuerOptions, values: unknown[]][] = [
    [
      'issuer',
      [
        undefined,
        null,
        '',
        7,
        'x',
        'ftp://a.example',
        'https://a.example?x',
        'https://a.example#x',
        'http://a.example',
      ],
    ],
    ['audience', [null, '', []]],
    ['jwksUri', [null, 7, 'x', 'http://a.example']],
    ['jwks', [null, {}, { keys: [] }]],
    ['algorithms', [null, [], ['HS256']]],
    ['profile', [null, 'x']],
    ['scopeClaims', [null, []]],
    ['tenantClaim', [null, '']],
    ['clientIdClaim', [null, '']],
    ['scopeSeparator', [null, '', ',']],
    ['allowInsecureHttp', [null, 'true', 1]],
  ]
  test.each(wrongInEntry)('names the option of the issuer: %s', (name, values) => {
    for (const value of values) {
      const entry = { issuer: ISSUER, [name]: value }
      expect(messageOf({ issuer: ['https://x.example', entry] })).toMatch(new RegExp(`^issuer\\[1\\]\\.${name} `))
    }
  })

  test.each([
    ['options', null],
    ['options', 7],
    ['options', []],
    ['options', 'https://a.example'],
  ])('%s that are %j', (_, options) => {
    expect(messageOf(options)).toMatch(/^options must be an object with issuer, audience, /)
  })

  test('names an unknown option, and the one that was meant', () => {
    expect(messageOf({ clocktoleranceSeconds: 5 })).toBe(
      'unknown option "clocktoleranceSeconds"; did you mean clockToleranceSeconds?',
    )
    expect(messageOf({ ignoreExpiration: undefined })).toMatch(/^unknown option "ignoreExpiration"; there are issuer, /)
    expect(messageOf({ cache: { ttl: 5 } })).toMatch(/^unknown cache option "ttl"; there are maxEntries, /)
    expect(messageOf({ issuer: [{ issuer: ISSUER, jwksURI: '' }] })).toMatch(
      /^unknown issuer\[0\] option "jwksURI"; did you mean jwksUri\?/,
    )
  })

  test('names an inherited option, which would be in force or not by accident', () => {
    class Options {
      isRevoked() {
        return true
      }
    }
    expect(messageOf(new Options())).toMatch(/^option isRevoked is inherited/)
    expect(messageOf({ issuer: [Object.create({ issuer: ISSUER })] })).toMatch(
      /^issuer\[0\] option issuer is inherited/,
    )
  })

  test('names two options that exclude each other', () => {
    expect(messageOf({ issuer: ISSUER, jwks, jwksUri: `${ISSUER}/jwks` })).toBe(
      'jwks and jwksUri exclude each other; leave one out',
    )
    expect(messageOf({ issuer: [{ issuer: ISSUER, jwks, jwksUri: `${ISSUER}/jwks` }] })).toContain('exclude each other')
  })

  test('names a key set that is not for several issuers, nor for none', () => {
    for (const issuer of [['https://a.example', 'https://b.example'], [{ issuer: ISSUER }], false]) {
      expect(messageOf({ issuer, jwks })).toMatch(/^jwks is for a single issuer/)
      expect(messageOf({ issuer, jwksUri: 'https://a.example/jwks' })).toMatch(/^jwksUri is for a single issuer/)
    }
    expect(issuerOf({ issuer: [ISSUER], jwks })?.keySource.kind).toBe('static')
  })

  test('names an issuer that is there twice', () => {
    expect(messageOf({ issuer: [ISSUER, { issuer: ISSUER, audience: 'a' }] })).toMatch(/^issuer names one issuer twice/)
  })

  test('shows no value that may be secret', () => {
    const secret = 'hunter2'
    const mistakes: [unknown, NodeJS.ProcessEnv?][] = [
      [{ issuer: `https://user:${secret}@a.example` }],
      [{ issuer: [{ issuer: `https://user:${secret}@a.example` }] }],
      [{ issuer: ` ${secret}` }],
      [{ issuer: `https://a.example?${secret}` }],
      [{ issuer: `http://${secret}.example` }],
      [{ issuer: [`https://${secret}.example`, `https://${secret}.example`] }],
      [{ audience: [secret, 7] }],
      [{ jwksUri: `https://a:${secret}@a.example/` }],
      [{ jwksUri: `http://a.example/${secret}` }],
      [{ jwks: { keys: [{ kty: 'oct', k: secret }] } }],
      [{ jwks: { keys: [secret] } }],
      [{ keys: `mysql://a:${secret}@h/db` }],
      [{ keys: `postgres//a:${secret}@h/db` }],
      [{ keys: `sqlite:a:${secret}@h/db` }],
      [{ keys: `sqlite://a:${secret}@h/db?x` }],
      [{ keys: { url: secret } }],
      [{ realm: `"${secret}` }],
      [{ environment: secret }],
      [{ profile: secret }],
      [{ tenantClaim: [secret, 7] }],
      [{ clientIdClaim: `${secret}..` }],
      [{ clock: secret }],
      [{}, { VANTAGE_ISSUER: `https://user:${secret}@a.example` }],
      [{}, { VANTAGE_KEY_STORE: `mysql://a:${secret}@h/db` }],
      [{}, { VANTAGE_KEY_STORE: `sqlite:${secret}.db` }],
      [{ keys: false }, { VANTAGE_JWKS_URI: `http://a.example/${secret}` }],
      [{ keys: false }, { VANTAGE_ENVIRONMENT: secret }],
    ]
    for (const [options, env] of mistakes) expect(messageOf(options, env)).not.toContain(secret)
  })
})

describe('what was given', () => {
  test('is copied: later changes change nothing', () => {
    const options = {
      audience: ['a'],
      algorithms: ['ES256'],
      scopeClaims: ['scope'],
      issuer: [{ issuer: ISSUER, audience: ['own'], jwks: structuredClone(jwks) }, 'https://b.example'],
      cache: { ttlSeconds: 1 },
    }
    const config = resolve(options)
    const text = JSON.stringify(config)
    options.audience.push('b')
    options.algorithms.push('RS256')
    options.scopeClaims.length = 0
    options.cache.ttlSeconds = 1000
    const [entry] = options.issuer as unknown as [{ audience: string[]; jwks: typeof jwks }]
    entry.audience.push('x')
    Object.assign(entry.jwks.keys[0] as object, { x: 'other' })
    entry.jwks.keys.push({ kty: 'oct', k: 'AA' })
    options.issuer.length = 0
    expect(JSON.stringify(config)).toBe(text)
  })

  test('is read once: a getter cannot answer differently after the check', () => {
    const reads = new Map<PropertyKey, number>()
    const counting = <T extends object>(target: T, name: string): T =>
      new Proxy(target, {
        get(of, key) {
          reads.set(`${name}.${String(key)}`, (reads.get(`${name}.${String(key)}`) ?? 0) + 1)
          return Reflect.get(of, key)
        },
      })
    const entry = counting({ issuer: ISSUER, audience: 'a', algorithms: ['ES256'], profile: 'lenient' }, 'entry')
    const options = counting({ issuer: [entry], keys: false, cache: counting({ ttlSeconds: 5 }, 'cache') }, 'options')
    resolveOptions(options as VerifierOptions, {})
    expect(reads.size).toBeGreaterThan(6)
    expect(Object.fromEntries([...reads].filter(([, count]) => count !== 1))).toEqual({})
  })

  test('may come out of getters, and changing ones are held to their first answer', () => {
    let asked = 0
    const options = {
      keys: false,
      get audience() {
        return asked++ === 0 ? 'a' : (null as never)
      },
    }
    expect(resolveOptions(options as never, {}).issuers[0]?.audience).toEqual(['a'])
  })

  test('becomes a configuration that is frozen throughout', () => {
    const config = resolve({ issuer: [{ issuer: ISSUER, jwks, audience: ['a'] }, 'https://b.example'] })
    const thawed: string[] = []
    const visit = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null || value instanceof URL) return
      if (!Object.isFrozen(value)) thawed.push(path)
      for (const [name, inner] of Object.entries(value)) visit(inner, `${path}.${name}`)
    }
    visit(config, 'config')
    visit(resolve(), 'defaults')
    expect(thawed).toEqual([])
  })

  test('is called without a receiver, which would be the configuration', () => {
    let self: unknown = 'never called'
    const { clock } = resolve({
      clock(this: unknown) {
        self = this
        return 1
      },
    })
    expect(clock()).toBe(1)
    expect(self).toBeUndefined()
  })
})
