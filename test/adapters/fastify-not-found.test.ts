/** Paths that no route has, below the prefix of a protected scope: they count as the router would read them. */
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { vantageAuth } from 'vantage-auth/fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { exchange } from '../support/frameworks.js'
import { missing, options, token } from '../support/requests.js'

const VERSIONS: { name: string; create: typeof fastify }[] = [
  { name: 'Fastify 4', create: createRequire(import.meta.url)('fastify4') },
  { name: 'Fastify 5', create: fastify },
]

describe.each(VERSIONS)('$name', ({ name, create }) => {
  const apps: FastifyInstance[] = []

  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()))
  })

  /** Statuses of the paths, without a credential. */
  async function statuses(server: FastifyServerOptions, prefix: string, ...paths: string[]) {
    const app = create({ forceCloseConnections: true, ...server })
    apps.push(app)
    app.register(
      async (scope) => {
        await scope.register(vantageAuth, options)
        scope.get('/known', async () => 'ok')
      },
      { prefix },
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const result: Record<string, number> = {}
    for (const path of paths) {
      const { status, body } = await exchange(port, { path })
      if (status === 401) expect(body).toBe(missing().body)
      result[path] = status
    }
    return result
  }

  test('repeats no URL where the credential is in it, and none in the log with the recipe of docs/recipes.md', async () => {
    const lines: string[] = []
    const pathOf = (url: string) => url.replace(/\?.*$/s, '')
    const app = create({
      forceCloseConnections: true,
      logger: {
        stream: { write: (line: string) => lines.push(line) },
        serializers: { req: ({ method, url }) => ({ method, url: pathOf(url) }) },
      },
    })
    apps.push(app)
    app.get('/open', async () => 'ok')
    app.register(
      async (scope) => {
        await scope.register(vantageAuth, options)
      },
      { prefix: '/api' },
    )
    app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not_found' }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const path = `/none?access_token=${token}`
    const refused = await exchange(port, { path: `/api${path}` })
    expect({ status: refused.status, body: refused.body }).toEqual({ status: 401, body: missing().body })
    const missed = await exchange(port, { path })
    expect({ status: missed.status, body: missed.body }).toEqual({ status: 404, body: '{"error":"not_found"}' })
    expect(lines.join('')).toContain('"url":"/none"')
    expect(lines.join('') + JSON.stringify([refused, missed])).not.toContain(token)
  })

  /** Fastify 5 takes them apart as well, and 4 only among its own options. */
  const ways: [string, (router: object) => FastifyServerOptions][] = [
    ['options', (router) => router],
    ...(name === 'Fastify 5' ? [['routerOptions', (router: object) => ({ routerOptions: router })] as never] : []),
  ]

  test('reads escapes and whole URLs, as the router does', async () => {
    const below = [
      '/%61pi/none',
      '/%61%70%69/none',
      '/api/%6Eone',
      'http://h/api/none',
      'https://h:1/%61pi/none',
      '/api#x',
    ]
    const beside = [
      '/%2561pi/none',
      '/api%2Fnone',
      '/apis/none',
      'http://h/other',
      '//api/none',
      '/API/none',
      'http://api/none',
    ]
    expect(await statuses({}, '/api', ...below, ...beside)).toEqual({
      ...Object.fromEntries(below.map((path) => [path, 401])),
      ...Object.fromEntries(beside.map((path) => [path, 404])),
    })
  })

  test('takes a known path for the same in each spelling that it takes an unknown one for', async () => {
    const router = {
      caseSensitive: false,
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true,
      useSemicolonDelimiter: true,
    }
    const spellings = ['/%61pi/', 'http://h/api/', '//api/', '/API/', '/api//', '///%41PI//']
    for (const [, server] of ways) {
      const app = create({ forceCloseConnections: true, ...server(router) })
      apps.push(app)
      app.get('/api/known', async () => 'ok')
      await app.listen({ port: 0, host: '127.0.0.1' })
      const { port } = app.server.address() as AddressInfo
      for (const path of spellings) expect((await exchange(port, { path: `${path}known` })).status).toBe(200)

      const unknown = spellings.map((path) => `${path}none`)
      expect(await statuses(server(router), '/api', ...unknown)).toEqual(
        Object.fromEntries(unknown.map((path) => [path, 401])),
      )
    }
  })

  test.each(ways)('follows each option of the router, given as %s', async (_, server) => {
    const cases = [
      ['caseSensitive', false, '/Api', ['/api/none', '/API/none', '/%41PI/none']],
      ['ignoreDuplicateSlashes', true, '/api', ['//api/none', '/api//none', 'http://h//api/none']],
      ['ignoreDuplicateSlashes', true, '/a/b', ['//a///b/none']],
      ['ignoreTrailingSlash', true, '/api', ['/api/', '/api', '/api/none/']],
      ['useSemicolonDelimiter', true, '/api', ['/api;a=b', '/api/none;c', '/%61pi;a']],
    ] as const
    for (const [option, value, prefix, below] of cases) {
      expect(await statuses(server({ [option]: value }), prefix, ...below)).toEqual(
        Object.fromEntries(below.map((path) => [path, 401])),
      )
    }
    expect(await statuses(server({ useSemicolonDelimiter: false }), '/api', '/api;a=b')).toEqual({ '/api;a=b': 404 })
  })

  test('covers what may be below a prefix with an expression', async () => {
    expect(await statuses({}, '/v:major(^\\d+$)/api', '/v1/api/none', '/v1', '/other/x')).toMatchObject({
      '/v1/api/none': 401,
      '/v1': 401,
    })
  })

  test('reads the URL that the application has rewritten', async () => {
    const rewriteUrl = ({ url = '' }) => url.replace('/old', '/api')
    expect(await statuses({ rewriteUrl }, '/api', '/old/none', '/none')).toEqual({ '/old/none': 401, '/none': 404 })
  })

  test('lets nobody past a path that cannot be decoded', async () => {
    const { '/api/%zz': status } = await statuses({}, '/api', '/api/%zz')
    expect([400, 401]).toContain(status)
  })
})
