import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createOutageNotices } from '../../../src/core/outage-notices.js'
import { metadataUrls } from '../../../src/token/issuer/discovery.js'
import {
  type Answer,
  ask,
  causeOf,
  HOUR,
  json,
  MINUTE,
  old,
  readiness,
  SECOND,
  START,
  settled,
  setUp,
  setUpFetch,
  silence,
  status,
  successor,
  text,
} from './issuer-world.js'

describe('where the key set is', () => {
  test('nothing is fetched before the first question', async () => {
    const { asked } = await setUp()
    await settled()
    expect(asked).toEqual([])
  })

  test.each([
    ['', ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']],
    ['/', ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']],
    [
      '/tenant/1',
      [
        '/.well-known/oauth-authorization-server/tenant/1',
        '/tenant/1/.well-known/openid-configuration',
        '/.well-known/openid-configuration/tenant/1',
      ],
    ],
    [
      '/tenant/1/',
      [
        '/.well-known/oauth-authorization-server/tenant/1',
        '/tenant/1/.well-known/openid-configuration',
        '/.well-known/openid-configuration/tenant/1',
      ],
    ],
  ])('the metadata of https://issuer.example%s is looked for, in this order, at %j', (path, locations) => {
    expect(metadataUrls(`https://issuer.example${path}`).map(({ href }) => href)).toEqual(
      locations.map((location) => `https://issuer.example${location}`),
    )
  })

  test('asks the RFC 8414 location, and only that where it answers', async () => {
    const { issuer, asked } = await setUp({ path: '/tenant' })
    expect(await ask(issuer)).toBe('found')
    expect(asked).toEqual(['/.well-known/oauth-authorization-server/tenant', '/jwks'])
  })

  const noMetadata: [string, Answer][] = [
    ...[204, 400, 401, 403, 404, 405, 406, 410].map((code): [string, Answer] => [String(code), status(code)]),
    ['a redirect', status(302, { location: '/elsewhere' })],
    ['a page of HTML', text('<!doctype html><title>Sign in</title>')],
    ['nothing', text('')],
    ['broken JSON', text('{"issuer"')],
    ['a list', json([{ issuer: 'https://other.example' }])],
    ['null', json(null)],
    ['a text', json('text')],
    ['a number', json(7)],
    ['more than it reads', text(' '.repeat(256 * 1024 + 1))],
  ]

  test.each(noMetadata)('goes on to the next location after %s, and to the last one', async (_, answer) => {
    const { issuer, asked, answers, url, origin, metadataPath, openidPath, lastPath } = await setUp({ path: '/tenant' })
    answers.set(metadataPath, answer)
    answers.set(openidPath, answer)
    answers.set(lastPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toBe('found')
    expect(asked).toEqual([metadataPath, openidPath, lastPath, '/jwks'])
  })

  const outages: [string, Answer][] = [
    ...[408, 429, 500, 503].map((code): [string, Answer] => [`answers ${code}`, status(code)]),
    ['does not answer', silence],
    ['breaks the connection', (response) => void response.destroy()],
    ['breaks off', (response) => void response.writeHead(200).write('{', () => response.destroy())],
  ]

  test.each(outages)('a location that %s is an outage, and no other is asked', async (_, answer) => {
    const world = await setUp({ path: '/tenant', timeoutMs: 1000 })
    const { issuer, asked, answers, url, origin, metadataPath, openidPath, lastPath, clock } = world
    answers.set(openidPath, answer)
    answers.set(metadataPath, status(404))
    answers.set(lastPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(asked).toEqual([metadataPath, openidPath])
    expect(await causeOf(issuer)).toMatch(`${origin}${openidPath}`)
    answers.set(openidPath, status(404))
    clock.now += 2 * SECOND
    expect(await ask(issuer)).toBe('found')
  })

  test('all locations together have one time limit', async () => {
    const { issuer, asked, answers, metadataPath, openidPath, lastPath } = await setUp({
      path: '/tenant',
      timeoutMs: 600,
    })
    const late: Answer = (response) => void setTimeout(() => response.writeHead(404).end(), 400)
    for (const path of [metadataPath, openidPath, lastPath]) answers.set(path, late)
    expect(await ask(issuer)).toMatch('unavailable')
    // However slow the machine is: two such answers take longer than the limit, and each alone does not.
    expect(asked).not.toContain(lastPath)
  })

  test('where no location has metadata it is unavailable, and ready() names what each answered', async () => {
    const { issuer, answers, asked, origin, metadataPath, openidPath, lastPath } = await setUp({ path: '/tenant' })
    answers.set(metadataPath, status(403))
    answers.set(openidPath, json([]))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(asked).toEqual([metadataPath, openidPath, lastPath])
    expect(await readiness(issuer)).toBe(
      `issuer ${origin}/tenant: ${origin}${metadataPath} answered 403; ${origin}${openidPath} answered with JSON that is not an object; ${origin}${lastPath} answered 404`,
    )
  })

  test.each([
    ['names another issuer', { issuer: 'https://other.example', jwks_uri: 'https://other.example/jwks' }],
    ['names none', { error: 'not_found' }],
  ])('a JSON object that %s ends the search', async (_, metadata) => {
    const { issuer, answers, asked, url, origin, metadataPath, openidPath } = await setUp()
    answers.set(metadataPath, json(metadata))
    answers.set(openidPath, json({ issuer: url, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(asked).toEqual([metadataPath])
  })

  test.each(['another path', undefined, null, 7, ['x']])(
    'is unavailable when the metadata names the issuer %j, and ready() names both',
    async (named) => {
      const { issuer, answers, asked, url, origin, metadataPath } = await setUp()
      answers.set(metadataPath, json({ issuer: named, jwks_uri: `${origin}/jwks` }))
      expect(await ask(issuer)).toMatch('unavailable')
      expect(asked).toEqual([metadataPath])
      const message = await readiness(issuer)
      expect(message).toContain(`names the issuer ${JSON.stringify(named)} instead of ${JSON.stringify(url)}`)
      expect(message).not.toContain('slash')
    },
  )

  test('a name of any length in the metadata makes no long line of a log', async () => {
    const { issuer, answers, origin, metadataPath } = await setUp()
    answers.set(metadataPath, json({ issuer: 'x'.repeat(10_000), jwks_uri: `${origin}/jwks` }))
    expect((await readiness(issuer)).length).toBeLessThan(600)
  })

  test('an issuer with a slash at the end is another issuer, and ready() says that it is the slash alone', async () => {
    const { issuer, answers, url, origin, metadataPath } = await setUp()
    answers.set(metadataPath, json({ issuer: `${url}/`, jwks_uri: `${origin}/jwks` }))
    expect(await ask(issuer)).toMatch('unavailable')
    expect(await readiness(issuer)).toContain('differ by the slash at the end alone')
  })

  test.each([undefined, 7, 'keys', '/jwks', ['https://issuer.example/jwks']])(
    'is unavailable when jwks_uri is %j',
    async (uri) => {
      const { issuer, answers, url, metadataPath } = await setUp()
      answers.set(metadataPath, json({ issuer: url, jwks_uri: uri }))
      expect(await ask(issuer)).toMatch('unavailable')
      expect(await readiness(issuer)).toContain('has no jwks_uri')
    },
  )

  /** What metadata of this issuer may lead to; `fetch` answers like the network, where every host exists. */
  async function leadsTo(issuerUrl: string, jwksUri: string, allowInsecureHttp = false): Promise<string> {
    const asked: string[] = []
    const { issuer } = setUpFetch(
      async (url) => {
        asked.push(url.href)
        const isMetadata = url.pathname.startsWith('/.well-known/')
        return Response.json(isMetadata ? { issuer: issuerUrl, jwks_uri: jwksUri } : { keys: [old] })
      },
      { issuer: [{ issuer: issuerUrl, allowInsecureHttp }] },
    )
    const answer = await ask(issuer)
    expect(asked).toHaveLength(answer === 'found' ? 2 : 1)
    return answer === 'found' ? 'found' : await readiness(issuer)
  }

  test('metadata may lead to another https host', async () => {
    expect(await leadsTo('https://issuer.example', 'https://keys.example/jwks')).toBe('found')
  })

  test('metadata does not lead from https to http, whatever the issuer is allowed', async () => {
    expect(await leadsTo('https://issuer.example', 'http://issuer.example/jwks')).toContain('not https')
    expect(await leadsTo('https://issuer.example', 'http://issuer.example/jwks', true)).toContain('not https')
    expect(await leadsTo('https://localhost', 'http://localhost/jwks')).toContain('not https')
    expect(await leadsTo('https://issuer.example', 'data:application/json,{"keys":[]}')).toContain('not https')
  })

  test.each([
    'https://localhost/jwks',
    'https://keys.localhost./jwks',
    'https://127.0.0.1/jwks',
    'https://127.9.9.9/jwks',
    'https://2130706433/jwks',
    'https://0x7f.1/jwks',
    'https://0.0.0.0/jwks',
    'https://[::1]/jwks',
    'https://[::]/jwks',
    'https://[::ffff:127.0.0.1]/jwks',
  ])('metadata of an issuer elsewhere does not lead to %s', async (jwksUri) => {
    expect(await leadsTo('https://issuer.example', jwksUri)).toContain('loopback')
  })

  test.each([
    'https://169.254.169.254/jwks',
    'https://2852039166/jwks',
    'https://[fe80::1]/jwks',
    'https://[::ffff:a9fe:a9fe]/jwks',
  ])('metadata of an issuer elsewhere does not lead to %s, where clouds keep credentials', async (jwksUri) => {
    expect(await leadsTo('https://issuer.example', jwksUri)).toContain('link-local')
    expect(await leadsTo('http://issuer.example', jwksUri.replace('https', 'http'), true)).toContain('link-local')
  })

  test('metadata of an issuer on a link-local address leads to its neighbours', async () => {
    expect(await leadsTo('https://169.254.1.1', 'https://169.254.1.2/jwks')).toBe('found')
  })

  test('metadata of an issuer that may use http leads to http, and not to loopback', async () => {
    expect(await leadsTo('http://issuer.example', 'http://issuer.example/jwks', true)).toBe('found')
    expect(await leadsTo('http://issuer.example', 'http://127.0.0.1/jwks', true)).toContain('loopback')
    expect(await leadsTo('http://issuer.example', 'data:application/json,{"keys":[]}', true)).toContain('not https')
  })

  test.each(['user:hunter2', ':hunter2', 'hunter2'])(
    'metadata does not lead to a URL with a password, and the error does not show it: %s',
    async (userinfo) => {
      const message = await leadsTo('https://issuer.example', `https://${userinfo}@issuer.example/jwks`)
      expect(message).toContain('password')
      expect(message).not.toContain('hunter2')
    },
  )

  test('with jwksUri nothing is discovered, and errors leave out its query', async () => {
    const { issuer, asked, answers, origin } = await setUp()
    const direct = setUpFetch(globalThis.fetch, {
      issuer: [{ issuer: 'https://issuer.example', jwksUri: `${origin}/jwks?code=hunter2` }],
      timeoutMs: 3000,
    }).issuer
    expect(await ask(direct)).toMatch('unavailable')
    expect(await readiness(direct)).toBe(`issuer https://issuer.example: ${origin}/jwks answered 404`)
    answers.set('/jwks?code=hunter2', json({ keys: [old] }))
    const { issuer: good } = setUpFetch(globalThis.fetch, {
      issuer: [{ issuer: 'https://issuer.example', jwksUri: `${origin}/jwks?code=hunter2` }],
      timeoutMs: 3000,
    })
    expect(await ask(good)).toBe('found')
    expect(asked).toEqual(['/jwks?code=hunter2', '/jwks?code=hunter2'])
    expect(await ask(issuer)).toBe('found')
  })

  test('metadata is fetched again after an hour', async () => {
    const { issuer, clock, fetches, metadataPath } = await setUp()
    for (let minutes = 0; minutes < 60; minutes += 10) {
      clock.now = START + minutes * MINUTE
      expect(await ask(issuer)).toBe('found')
    }
    expect([fetches(metadataPath), fetches()]).toEqual([1, 6])
    clock.now = START + HOUR
    expect(await ask(issuer)).toBe('found')
    expect([fetches(metadataPath), fetches()]).toEqual([2, 7])
  })

  const outagesLater: [string, Answer][] = [
    ...[408, 429, 500, 503].map((code): [string, Answer] => [`answers ${code}`, status(code)]),
    ['does not answer in half of timeoutMs', silence],
    ['breaks the connection', (response) => void response.destroy()],
    ['breaks off', (response) => void response.writeHead(200).write('{', () => response.destroy())],
  ]
  test.each(outagesLater)('metadata that %s when it is asked again takes no good key set down', async (_, answer) => {
    const { issuer, clock, answers, fetches, keys, metadataPath } = await setUp({ timeoutMs: 1000 })
    expect(await ask(issuer)).toBe('found')
    answers.set(metadataPath, answer)
    keys(successor)
    for (let hours = 1; hours <= 3; hours++) {
      clock.now = START + hours * HOUR
      expect(await ask(issuer, 'new')).toBe('found')
      // It is asked each time, so that a moved key set is found as soon as it is in order again.
      expect([fetches(metadataPath), fetches()]).toEqual([1 + hours, 1 + hours])
    }
  })

  test.each([
    ['fails', 'is told of'],
    ['is in the way of close()', 'is no outage'],
  ])('metadata that %s when it is asked again %s', async (what) => {
    const lines: string[] = []
    const notices = createOutageNotices((line) => lines.push(line))
    onTestFinished(notices.close)
    const metadata = vi.fn<(init: RequestInit) => unknown>()
    metadata.mockResolvedValueOnce(
      Response.json({ issuer: 'https://issuer.example', jwks_uri: 'https://issuer.example/jwks' }),
    )
    const answerOf = (url: URL, init: RequestInit) =>
      url.pathname === '/jwks' ? Response.json({ keys: [old] }) : metadata(init)
    const { issuer, clock } = setUpFetch(answerOf, { timeoutMs: 3000 }, notices)
    expect(await ask(issuer)).toBe('found')
    metadata.mockImplementation(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
          if (what === 'fails') reject(new Error('down'))
        }),
    )
    clock.now = START + HOUR
    const asked = ask(issuer)
    await vi.waitFor(() => expect(metadata).toHaveBeenCalledTimes(2))
    if (what !== 'fails') issuer.close()
    await asked
    const told = 'metadata of issuer https://issuer.example failed: '
    expect(lines).toEqual(what === 'fails' ? [expect.stringContaining(told)] : [])
  })

  test.each([
    ['names another issuer', json({ issuer: 'https://other.example', jwks_uri: 'https://other.example/jwks' })],
    ['is gone', status(404)],
    ['is forbidden', status(403)],
    ['is no JSON', text('<!doctype html>')],
    ['has no jwks_uri', json({})],
  ])('metadata that %s when it is asked again is a failure: the last key set is not fetched', async (_, answer) => {
    const { issuer, clock, answers, fetches, metadataPath } = await setUp()
    expect(await ask(issuer)).toBe('found')
    answers.set(metadataPath, answer)
    clock.now = START + HOUR
    expect(await ask(issuer)).toMatch('unavailable')
    expect(fetches()).toBe(1)
  })

  test('metadata that is out of reach is needed once the last key set fails as well', async () => {
    const { issuer, clock, answers, fetches, down, keys, metadataPath } = await setUp()
    expect(await ask(issuer)).toBe('found')
    answers.set(metadataPath, status(500))
    down()
    clock.now = START + HOUR
    expect(await ask(issuer)).toMatch('unavailable')
    expect(fetches()).toBe(2)
    keys(old)
    clock.now += 2 * SECOND
    expect(await ask(issuer)).toMatch('unavailable')
    expect(fetches()).toBe(2)
  })

  test('where the key set was is not forgotten over metadata that fails, and is given up for metadata that is in order', async () => {
    const { issuer, clock, answers, url, origin, metadataPath } = await setUp()
    expect(await ask(issuer)).toBe('found')
    answers.set(metadataPath, status(403))
    clock.now = START + HOUR
    expect(await ask(issuer)).toMatch('unavailable')
    answers.set(metadataPath, status(500))
    clock.now += 2 * SECOND
    expect(await ask(issuer)).toBe('found')
    answers.set(metadataPath, json({ issuer: url, jwks_uri: `${origin}/moved` }))
    answers.set('/moved', json({ keys: [successor] }))
    clock.now += 10 * MINUTE
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('metadata is fetched again when the key set fails, so that a moved key set is found', async () => {
    const { issuer, clock, answers, fetches, url, origin, metadataPath } = await setUp()
    expect(await ask(issuer)).toBe('found')
    answers.set('/jwks', status(404))
    answers.set('/moved', json({ keys: [successor] }))
    answers.set(metadataPath, json({ issuer: url, jwks_uri: `${origin}/moved` }))
    clock.now += 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    expect(fetches(metadataPath)).toBe(1)
    clock.now += 2 * SECOND
    expect(await ask(issuer, 'new')).toBe('found')
    expect([fetches(metadataPath), fetches('/moved')]).toEqual([2, 1])
  })
})
