import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { describeCause, oneLine, withoutSecrets } from '../../src/core/cause.js'
import { KeyStoreError } from '../../src/core/errors.js'
import { createOutageNotices, type OutageNotices } from '../../src/core/outage-notices.js'

let now: number
let lines: string[]
let open: OutageNotices[]

beforeEach(() => {
  now = 1000
  lines = []
  open = []
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  for (const notices of open) notices.close()
  vi.restoreAllMocks()
})

function notices(): OutageNotices {
  const created = createOutageNotices((line) => lines.push(line))
  open.push(created)
  return created
}

const refused = new Error('connect ECONNREFUSED 127.0.0.1:1')

test('an outage is one line, and one when it is over, with its length', () => {
  const issuer = notices().about('issuer https://a.example')
  issuer.answered()
  issuer.failed(refused)
  now += 5000
  issuer.failed(refused)
  now += 7000
  issuer.answered()
  issuer.answered()
  expect(lines).toEqual([
    'issuer https://a.example failed: connect ECONNREFUSED 127.0.0.1:1',
    'issuer https://a.example is back after 12 s',
  ])
})

test.each([
  [400, '0.4 s'],
  [9999, '10.0 s'],
  [59_400, '59 s'],
  [185_000, '3 min 5 s'],
  [7_800_000, '2 h 10 min'],
])('%d ms are told as %s', (ms, shown) => {
  const issuer = notices().about('issuer https://a.example')
  issuer.failed(refused)
  now += ms
  issuer.answered()
  expect(lines[1]).toBe(`issuer https://a.example is back after ${shown}`)
})

describe('a dependency that comes and goes', () => {
  test('is told of in one pair of lines a minute', () => {
    const issuer = notices().about('issuer https://a.example')
    for (let second = 0; second < 180; second++) {
      issuer.failed(refused)
      now += 500
      issuer.answered()
      now += 500
    }
    expect(lines).toHaveLength(6)
  })

  test('and then stays away is told of as soon as the minute is over, with the time since when', () => {
    const issuer = notices().about('issuer https://a.example')
    issuer.failed(refused)
    now += 1000
    issuer.answered()
    now += 9000
    issuer.failed(refused)
    now += 49_999
    issuer.failed(refused)
    expect(lines).toHaveLength(2)
    now += 1
    issuer.failed(refused)
    expect(lines.slice(2)).toEqual(['issuer https://a.example failed: connect ECONNREFUSED 127.0.0.1:1 (for 50 s)'])
    now += 1000
    issuer.answered()
    expect(lines.slice(3)).toEqual(['issuer https://a.example is back after 51 s'])
  })
})

test('one dependency is told of once, however many verifiers ask it; another one for itself', () => {
  const [one, two] = [notices(), notices()]
  for (const { about } of [one, two]) about('issuer https://a.example').failed(refused)
  two.about('issuer https://b.example').failed(refused)
  two.about('issuer https://a.example').answered()
  one.about('issuer https://a.example').answered()
  expect(lines).toEqual([
    expect.stringContaining('a.example failed'),
    expect.stringContaining('b.example failed'),
    expect.stringContaining('a.example is back'),
  ])
})

test('two of one name may be told apart', () => {
  const { about } = notices()
  about('key store', {}).failed(refused)
  about('key store', {}).failed(refused)
  expect(lines).toHaveLength(2)
})

test('after close() nothing is told, and a verifier that comes later begins anew', () => {
  const first = notices()
  const issuer = first.about('issuer https://a.example')
  issuer.failed(refused)
  first.close()
  first.close()
  issuer.answered()
  issuer.failed(refused)
  expect(lines).toHaveLength(1)
  notices().about('issuer https://a.example').failed(refused)
  expect(lines).toHaveLength(2)
})

test('after reopen() it is told again, beside those that came meanwhile', () => {
  const [first, second] = [notices(), notices()]
  const issuer = first.about('issuer https://a.example')
  first.close()
  second.about('issuer https://a.example').failed(refused)
  first.reopen()
  issuer.failed(refused)
  expect(lines).toHaveLength(1)
  issuer.answered()
  expect(lines[1]).toContain('is back')
})

test('a line says the fault of a store of ours once, with its name', () => {
  const store = notices().about('key store postgres://svc@db.example:5432/keys')
  store.failed(
    new KeyStoreError('The Postgres key store at db.example:5432 (database "keys", role "svc") is out of reach: gone'),
  )
  expect(lines).toEqual(['key store postgres://svc@db.example:5432/keys is out of reach: gone'])
})

test('standard error is written to, and keeps no listener', async () => {
  const write = vi.spyOn(process.stderr, 'write').mockImplementation(((_: string, done: () => void) => {
    done()
    return true
  }) as never)
  const listeners = process.stderr.listenerCount('error')
  const created = createOutageNotices()
  created.about('issuer https://a.example').failed(refused)
  created.close()
  expect(write.mock.calls.map(([line]) => line)).toEqual([
    'vantage-auth: issuer https://a.example failed: connect ECONNREFUSED 127.0.0.1:1\n',
  ])
  await new Promise(setImmediate)
  expect(process.stderr.listenerCount('error')).toBe(listeners)
})

test('standard error has one listener, however many lines wait', async () => {
  const done: (() => void)[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation(((_: string, callback: () => void) =>
    done.push(callback)) as never)
  const listeners = process.stderr.listenerCount('error')
  const created = createOutageNotices()
  for (let i = 0; i < 20; i++) created.about(`issuer https://${i}.example`).failed(refused)
  created.close()
  expect(process.stderr.listenerCount('error')).toBe(listeners + 1)
  for (const callback of done) callback()
  await new Promise(setImmediate)
  expect(process.stderr.listenerCount('error')).toBe(listeners)
})

describe('a cause', () => {
  test('is one printable line of at most 200 characters', () => {
    expect(describeCause(new Error('a\nb\u001b[2Jc\u202ed'))).toBe('a b [2Jc d')
    const long = describeCause(new Error('word '.repeat(10_000)))
    expect([...long]).toHaveLength(200)
    expect(long.endsWith('…')).toBe(true)
    expect([...oneLine('😀'.repeat(300))]).toHaveLength(200)
  })

  test.each([
    'connect to postgres://svc:hunter2@db.example/keys',
    'connect to postgres://svc:hun/ter@hunter2@db.example/keys',
    'connect to postgres://svc%3Ahunter2@db.example/keys',
    'host=db password=hunter2 user=svc',
    `password: 'hunter2'`,
    '{"password":"hunter2"}',
    'PASSWORD = "hunter2 and more"',
    'api_key=hunter2',
    'PGPASSWORD=hunter2',
    'client_secret=hunter2&x=1',
    '{"client_secret":"hunter2"}',
    '{"client_secret":"hun\\"hunter2"}',
    '"{\\"db_password\\":\\"hunter2\\"}"',
    'password="hunter2 and more',
    'password=a,hunter2;b&hunter2',
    'HTTP_PROXY_PASSWORD=hunter2',
    'Proxy-Authorization: Basic hunter2',
    'Authorization: Custom hunter2 hunter2',
    'sent Basic hunter2=',
    'sent bearer auth-hunter2',
    'VAULT_TOKEN=hunter2',
    'DB_PASSWORD = hunter2',
    'sslpassword=hunter2',
    'access_token=hunter2',
    'x-api-key: hunter2',
    'AWS_SECRET_ACCESS_KEY=hunter2',
    'MYSQL_PWD=hunter2',
    'set-cookie: a=b; session=hunter2',
    'connect to postgres://svc:pa hunter2@db.example',
    'connect to postgres://svc:x2 hunter2 3@hunter2@db.example',
    'getaddrinfo ENOTFOUND svc:hunter2@db.example',
  ])('shows no password: %s', (message) => {
    expect(describeCause(new Error(message))).not.toMatch(/hunter2|and more/)
  })

  test.each([
    'connect ECONNREFUSED 127.0.0.1:5432, contact ops@a.example',
    'https://a.example:8443/keys answered 500 to ops@a.example',
    'https://a.example: contact ops@a.example',
    'password authentication failed for user "svc"',
    'Bearer authentication is required, Basic auth is not supported',
    `Cannot find module 'file:///app/node_modules/@scope/name'`,
    'Unexpected token < in JSON at position 0',
  ])('shows what is no password: %s', (message) => {
    expect(describeCause(new Error(message))).toBe(message)
  })

  test.each(['//a:', 'password=', 'password="', "token:'\\", 'a:b', 'Basic ', '\\', ' ', 'a'])(
    'may be a megabyte of %j',
    (part) => {
      expect(describeCause(new Error(part.repeat(1_000_000 / part.length))).length).toBeLessThanOrEqual(200)
      expect(withoutSecrets(part.repeat(100_000 / part.length))).not.toBe('')
    },
  )

  test('shows no key and no token', () => {
    const token = `eyJhbGciOiJFUzI1NiJ9.${'eyJzdWIiOiJ1In0'}.${'aB-_'.repeat(16)}`
    const key = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'
    expect(describeCause(new Error(`refused ${token} and ${key}`))).toBe('refused … and vak_…')
  })

  test.each([
    [undefined, 'no reason given'],
    [null, 'no reason given'],
    ['text', 'text'],
    [{ code: 'ECONNREFUSED' }, 'ECONNREFUSED'],
    [new AggregateError([refused, refused]), refused.message],
    [
      {
        get message() {
          throw new Error('no')
        },
      },
      'an error that cannot be read',
    ],
    [new Error(''), 'no reason given'],
  ])('may be anything: %#', (error, shown) => {
    expect(describeCause(error)).toBe(shown)
  })
})
