import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  environmentScopes,
  type IssuerOptions,
  resolveOptions,
  type VerifierOptions,
} from '../../src/config/options.js'
import { ALGORITHMS } from '../../src/token/algorithms.js'
import { isLoopback } from '../../src/token/loopback.js'
import { createOwnStore } from '../support/stored-keys.js'
import { createKeyPair, publicJwk } from '../support/tokens.js'

const ISSUER = 'https://auth.vantage.omnivector.solutions'
const AUDIENCE = 'https://api.vantage.omnivector.solutions'

// Nothing of the machine's own: an empty working directory, and no variables.
let before: string
let folder: string
beforeEach(() => {
  before = process.cwd()
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vantage-auth-')))
  process.chdir(folder)
})
afterEach(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true })
})

const resolve = (options: object = {}, env: NodeJS.ProcessEnv = {}) =>
  resolveOptions({ keys: false, ...options } as VerifierOptions, env)
const issuerOf = (options: object, env: NodeJS.ProcessEnv = {}) => resolve(options, env).issuers[0]

function messageOf(options: unknown, env: NodeJS.ProcessEnv = {}): string {
  try {
    resolveOptions(options as VerifierOptions, env)
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  throw new Error('the options were accepted')
}

const OPTIONS = new URL('../../src/config/options.ts', import.meta.url).href

/** Runs a program in the empty working directory. */
function run(program: string): { stdout: string; stderr: string } {
  const tsx = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
  const args = ['--no-warnings', '--import', tsx, '--input-type=module', '--eval', program]
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 30_000 })
}

const ec = createKeyPair('ES256').publicKey
const jwks = { keys: [publicJwk(ec, { kid: '1' })] }

describe('the defaults', () => {
  test('are those of the documentation', () => {
    const { clock, fetch, ...rest } = resolve()
    expect(rest).toEqual({
      issuers: [
        {
          issuer: ISSUER,
          audience: [AUDIENCE],
          keySource: { kind: 'discovery', url: new URL(ISSUER) },
          profile: 'rfc9068',
          algorithms: 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' '),
          scopeClaims: ['scope', 'scp'],
          tenantClaim: undefined,
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
      keys: false,
    })
    expect(Math.abs(clock() - Date.now())).toBeLessThan(1000)
    expect(fetch).toBeTypeOf('function')
  })

  test('are the same for options that are undefined and variables that are empty', () => {
    const names: (keyof VerifierOptions)[] = ['issuer', 'audience', 'jwksUri', 'jwks', 'profile', 'algorithms', 'realm']
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

  test('lists further scopes', () => {
    expect(environmentScopes({ VANTAGE_SCOPES: 'a:b, c  d' })).toEqual(['a:b', 'c', 'd'])
    expect(environmentScopes({})).toEqual([])
    expect(() => environmentScopes({ VANTAGE_SCOPES: 'a"b' })).toThrow(/^VANTAGE_SCOPES/)
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
      [{ tenantClaim: [secret] }],
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

describe('an issuer', () => {
  test.each(['https://a.example', 'https://a.example/', 'https://A.example/tenant', 'https://a.example:8443/x'])(
    'is kept character for character: %s',
    (issuer) => {
      expect(issuerOf({ issuer })?.issuer).toBe(issuer)
    },
  )

  test.each([' https://a.example', 'https://a.example\n', 'https://a.exa\tmple', 'https://a.example/a b'])(
    'has no white space, which no token would equal: %j',
    (issuer) => {
      expect(messageOf({ issuer })).toMatch(/^issuer is not a URL/)
    },
  )

  test.each([
    'http://localhost',
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
    'http://a.localhost',
    'http://127.9.9.9',
  ])('may be http on loopback: %s', (issuer) => {
    expect(issuerOf({ issuer })?.keySource).toEqual({ kind: 'discovery', url: new URL(issuer) })
  })

  test.each([
    'http://a.example',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'http://10.0.0.1',
    'http://[::2]',
  ])('is https elsewhere, unless it says otherwise: %s', (issuer) => {
    expect(messageOf({ issuer })).toMatch(/^issuer must be https/)
    expect(issuerOf({ issuer: [{ issuer, allowInsecureHttp: true }] })?.keySource.kind).toBe('discovery')
    // Where nothing is fetched from it, nobody is in between.
    expect(issuerOf({ issuer: [{ issuer, jwks }] })?.keySource.kind).toBe('static')
    expect(issuerOf({ issuer: [{ issuer, jwksUri: 'https://a.example' }] })?.keySource.kind).toBe('jwks_uri')
  })

  test('has its own options, and the shared ones for the rest', () => {
    const own = {
      audience: ['x', 'y'],
      profile: 'rfc9068',
      algorithms: ['ES256', 'ES384'],
      scopeClaims: ['scp'],
      tenantClaim: 'tid',
    }
    const { issuers } = resolve({
      audience: 'shared',
      profile: 'lenient',
      algorithms: ['RS256'],
      scopeClaims: 'permissions',
      tenantClaim: 'org',
      clockToleranceSeconds: 0,
      maxTokenAgeSeconds: 60,
      issuer: ['https://a.example', { issuer: 'https://b.example', ...own }],
    })
    const shared = { clockToleranceSeconds: 0, maxTokenAgeSeconds: 60 }
    expect(issuers).toMatchObject([
      {
        ...shared,
        audience: ['shared'],
        profile: 'lenient',
        algorithms: ['RS256'],
        scopeClaims: ['permissions'],
        tenantClaim: 'org',
      },
      { ...shared, ...own },
    ])
  })

  test.each([
    [['EdDSA'], ['EdDSA', 'Ed25519']],
    [['Ed25519'], ['Ed25519', 'EdDSA']],
    [['ES256', 'ES256'], ['ES256']],
  ])('of the algorithms %j accepts %j: two names of one are one', (given, accepted) => {
    expect(issuerOf({ algorithms: given })?.algorithms).toEqual(accepted)
  })

  test('accepts every algorithm by name', () => {
    expect(issuerOf({ algorithms: [...ALGORITHMS] })?.algorithms).toEqual(ALGORITHMS)
  })

  test('false means API keys only', () => {
    expect(resolve({ issuer: false }).issuers).toEqual([])
  })
})

describe('a static key set', () => {
  const rsa = (modulusLength: number, publicExponent = 65_537) =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey
  const withPrivate = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

  test.each(withPrivate)('with the private member %s is refused', (member) => {
    expect(messageOf({ jwks: { keys: [jwks.keys[0], { ...jwks.keys[0], [member]: 'AQAB' }] } })).toMatch(
      /^jwks\.keys\[1\] is a private or symmetric key/,
    )
  })

  test('with a symmetric key is refused', () => {
    expect(messageOf({ jwks: { keys: [{ kty: 'oct' }] } })).toMatch(/^jwks\.keys\[0\] is a private or symmetric key/)
  })

  test.each([
    ['RSA of 1024 bits', [publicJwk(rsa(1024), { kid: '1' })]],
    ['for encryption', [publicJwk(ec, { kid: '1', use: 'enc' })]],
    ['for another operation', [publicJwk(ec, { kid: '1', key_ops: ['sign'] })]],
    ['for an algorithm of another type', [publicJwk(ec, { kid: '1', alg: 'RS256' })]],
    ['of an unknown type', [{ kty: 'XYZ', kid: '1' }]],
    ['broken', [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: '1' }]],
    ['several without a kid', [publicJwk(ec), publicJwk(createKeyPair('ES256').publicKey)]],
  ])('that can verify no token is refused: %s', (_, keys) => {
    expect(messageOf({ jwks: { keys } })).toMatch(/^jwks holds no key that can verify a token/)
    expect(messageOf({ issuer: [{ issuer: ISSUER, jwks: { keys } }] })).toMatch(/^issuer\[0\]\.jwks holds no key/)
    expect(issuerOf({ jwks: { keys: [...keys, jwks.keys[0]] } })?.keySource.kind).toBe('static')
  })

  test('whose keys fit none of the accepted algorithms is refused', () => {
    expect(messageOf({ jwks, algorithms: ['RS256'] })).toMatch(/^jwks holds no key that can verify a token/)
    expect(messageOf({ issuer: [{ issuer: ISSUER, jwks, algorithms: ['ES384'] }] })).toMatch(/^issuer\[0\]\.jwks holds/)
  })

  test('with one key needs no kid', () => {
    expect(issuerOf({ jwks: { keys: [publicJwk(ec)] } })?.keySource.kind).toBe('static')
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

describe('the key store', () => {
  test('may be the application own, and stays its to close', () => {
    const store = createOwnStore()
    expect(resolve({ keys: store }).keys).toEqual({ store, owned: false, label: 'a KeyStore of the application' })
  })

  test('by URL is opened, and told of as scheme and host', () => {
    writeFileSync('keys.db', '')
    expect(resolve({ keys: 'sqlite:./keys.db' }).keys).toMatchObject({ owned: true, label: 'sqlite:' })
    expect(resolve({ keys: `sqlite:${folder}/keys.db` }).keys).toMatchObject({ owned: true, label: 'sqlite:' })
    expect(resolve({ keys: 'memory:' }).keys).toMatchObject({ owned: true, label: 'memory:' })
    expect(resolve({ keys: 'postgres://u:hunter2@db.example:5433/x?password=hunter2' }).keys).toMatchObject({
      owned: true,
      label: 'postgres://db.example:5433',
    })
  })

  test('that is configured and absent is a mistake that names the cure, and is not created', () => {
    const message = messageOf({ keys: 'sqlite:./absent.db' })
    expect(message).toMatch(/^keys names a SQLite file that is not there/)
    expect(message).toContain(folder)
    expect(message).toContain('vantage-auth keys migrate')
    expect(messageOf({}, { VANTAGE_KEY_STORE: 'sqlite:absent.db' })).toMatch(/^VANTAGE_KEY_STORE names a SQLite file/)
    expect(existsSync('absent.db')).toBe(false)
  })

  test('is the file of the default name where there is one', () => {
    writeFileSync('vantage-auth.db', '')
    expect(resolveOptions({}, {}).keys).toMatchObject({ owned: true, label: 'sqlite:' })
  })

  test.each([
    ['the default file', '{}', '{}', /^vantage-auth\.db in the working directory: .*npm install libsql/],
    ['an option', '{ keys: "sqlite:vantage-auth.db" }', '{}', /^keys: .*npm install libsql/],
    ['a variable', '{}', '{ VANTAGE_KEY_STORE: "postgres://u:hunter2@h/db" }', /^VANTAGE_KEY_STORE: .*npm install pg/],
  ])(
    'without its driver is a mistake of the start, named by %s',
    (_, options, env, expected) => {
      writeFileSync('vantage-auth.db', '')
      // As where neither package was installed, on a Node without node:sqlite.
      const { stdout, stderr } = run(`
      import Module from 'node:module'
      const resolve = Module._resolveFilename
      Module._resolveFilename = function (name, ...rest) {
        if (name === 'libsql' || name === 'pg') throw Object.assign(new Error(name), { code: 'MODULE_NOT_FOUND' })
        return Reflect.apply(resolve, this, [name, ...rest])
      }
      process.getBuiltinModule = () => undefined
      const { resolveOptions } = await import(${JSON.stringify(OPTIONS)})
      try {
        resolveOptions(${options}, ${env})
      } catch (error) {
        console.log(error.message, error instanceof TypeError)
      }
    `)
      expect(stderr).toBe('')
      expect(stdout).toMatch(expected)
      expect(stdout).toMatch(/ true\n$/)
      expect(stdout).not.toContain('hunter2')
    },
    40_000,
  )

  test('that is not configured is warned of once, and API keys are off', () => {
    const { stdout, stderr } = run(`
      import { resolveOptions } from ${JSON.stringify(OPTIONS)}
      process.on('warning', ({ code, message }) => console.log(code, message))
      console.log(resolveOptions({}, {}).keys, resolveOptions({}, {}).keys, resolveOptions({ keys: false }, {}).keys)
    `)
    expect(stderr).toBe('')
    const [values, ...warnings] = stdout.trim().split('\n')
    expect(values).toBe('undefined undefined false')
    expect(warnings).toEqual([expect.stringMatching(/^VANTAGE_NO_KEY_STORE .*VANTAGE_KEY_STORE/)])
  }, 40_000)
})

test.each([
  ['http://localhost.', true],
  ['http://LOCALHOST', true],
  ['http://2130706433', true],
  ['http://0x7f.1', true],
  ['http://0.0.0.0', true],
  ['http://[::]', true],
  ['http://[::ffff:127.0.0.1]', true],
  ['http://[0:0:0:0:0:0:0:1]', true],
  ['http://localhost.example', false],
  ['http://128.0.0.1', false],
  ['http://[::ffff:8.8.8.8]', false],
  ['http://notlocalhost', false],
])('isLoopback(%s) is %s', (url, expected) => {
  expect(isLoopback(new URL(url))).toBe(expected)
})
