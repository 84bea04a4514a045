import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { createKeyring, memoryKeyStore } from 'vantage-auth'
import { type ConsoleCaller, createKeyConsole } from 'vantage-auth/console'
import { afterAll, describe, expect, test } from 'vitest'
import { describeApi } from '../../console/openapi.js'
import { AUDIT_QUERY, DAYS_QUERY, LIST_QUERY } from '../../console/query.js'
import { ENDPOINTS } from '../../console/routes.js'

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content }>>
}
type Content = Readonly<Record<string, { readonly schema: object }>>
interface Document {
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<'get' | 'post', Operation | undefined>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>
    readonly responses: Readonly<Record<string, { readonly content: Content }>>
  }
}

const store = memoryKeyStore()
const keyring = createKeyring(store, { scopes: ['reports:read'] })
const document = describeApi(keyring.describe()) as Document
const root: ConsoleCaller = { actor: 'ada', tenant: 'acme', canWrite: true }
const keyConsole = createKeyConsole({
  keyring,
  authorize: (request: Request) => {
    const who = request.headers.get('x-who') ?? 'root'
    return { root, reader: { ...root, canWrite: false }, nobody: undefined, mistake: {} as ConsoleCaller }[who]
  },
})
afterAll(() => keyConsole.close())

test('is OpenAPI 3.1, as its own schema says', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate(structuredClone(document) as never)
  expect(errors).toBeUndefined()
  expect(valid).toBe(true)
  expect(validator.version).toBe('3.1')
})

test('is served, and its server is the mount that it is served below', async () => {
  const { status, body } = await ask('GET', '/settings/keys/api/openapi.json', { mount: '/settings/keys' })
  expect(status).toBe(200)
  expect(body).toEqual(JSON.parse(JSON.stringify(document)))
  const address = 'https://console.example/settings/keys/api/openapi.json'
  expect(new URL(document.servers[0]?.url as string, address).href).toBe('https://console.example/settings/keys/')
})

const described = Object.entries(document.paths).flatMap(([path, methods]) =>
  (['get', 'post'] as const).filter((method) => method in methods).map((method) => `${method.toUpperCase()} ${path}`),
)

test('describes every route and no other', () => {
  const served = ENDPOINTS.map(({ method, path }) => `${method} ${path.replace(':id', '{id}')}`)
  expect(described.toSorted()).toEqual(served.toSorted())
})

test.each([
  ['/api/keys', LIST_QUERY],
  ['/api/audit', AUDIT_QUERY],
  ['/api/usage', DAYS_QUERY],
  ['/api/keys/{id}/usage', DAYS_QUERY],
])('names the query of %s as it is read', (path, names) => {
  const parameters = document.paths[path]?.get?.parameters ?? []
  expect(parameters.map(({ name }) => name).toSorted()).toEqual(Object.keys(names).toSorted())
})

describe('an answer fits what is described', () => {
  const ajv = new Ajv2020.default({ allErrors: true, allowUnionTypes: true })
  addFormats.default(ajv)
  ajv.addVocabulary(['components'])
  ajv.addSchema({ $id: 'api', components: document.components })

  /** The operation that a request is, which has to describe its answer. */
  function expectDescribed(target: string, method: 'get' | 'post', { status, body }: Answer): void {
    const [path = ''] = target.split('?')
    const response = document.paths[path]?.[method]?.responses[status]
    expect(response, `${method} ${path} answered ${status}`).toBeDefined()
    const content = response?.$ref
      ? document.components.responses[response.$ref.split('/').at(-1) as string]?.content
      : response?.content
    const { schema } = content?.['application/json'] ?? {}
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')))
    expect(validate(body) || validate.errors).toBe(true)
  }

  async function makeKey(): Promise<string> {
    const { record } = await keyring.create({ subject: 'ada', tenant: 'acme', name: 'deploy', scopes: ['jobs:read'] })
    await store.addUsage([
      { id: record.id, day: new Date().toISOString().slice(0, 10), count: 3, lastUsedAt: Date.now() },
    ])
    return record.id
  }

  test.each<[path: string, query: string]>([
    ['/api/session', ''],
    ['/api/keys', ''],
    ['/api/keys', '?usage=30&sort=-lastUsed'],
    ['/api/keys/{id}', ''],
    ['/api/keys/{id}/usage', '?days=7'],
    ['/api/usage', '?days=7'],
    ['/api/audit', '?limit=5'],
    ['/api/openapi.json', ''],
  ])('to GET %s%s', async (path, query) => {
    const id = await makeKey()
    const answer = await ask('GET', path.replace('{id}', id) + query)
    expect(answer.status).toBe(200)
    expectDescribed(path, 'get', answer)
  })

  test.each<[path: string, sent: object, status: number]>([
    ['/api/keys', { scopes: ['jobs:read', 'reports:read'], name: 'n', expiresIn: '90d' }, 201],
    ['/api/keys/{id}/rotate', { overlap: '1h' }, 201],
    ['/api/keys/{id}/rotate', {}, 201],
    ['/api/keys/{id}/revoke', { reason: 'leaked' }, 200],
  ])('to POST %s', async (path, sent, status) => {
    const id = await makeKey()
    const answer = await ask('POST', path.replace('{id}', id), { sent })
    expect(answer.status).toBe(status)
    expectDescribed(path, 'post', answer)
    const name = { '/api/keys': 'CreateKey' }[path] ?? (path.endsWith('rotate') ? 'RotateKey' : 'RevokeKey')
    expect(ajv.validate({ $ref: `api#/components/schemas/${name}` }, sent)).toBe(true)
  })

  test.each<[what: string, path: string, options: Parameters<typeof ask>[2], status: number]>([
    ['nobody', '/api/keys', { who: 'nobody' }, 401],
    ['a foreign page', '/api/keys', { sent: {}, headers: { 'sec-fetch-site': 'cross-site' } }, 403],
    ['who may only look', '/api/keys', { sent: { scopes: ['jobs:read'] }, who: 'reader' }, 403],
    ['another type', '/api/keys', { sent: {}, headers: { 'content-type': 'text/plain' } }, 415],
    ['too much', '/api/keys', { sent: { name: 'x'.repeat(20_000) } }, 413],
    ['an unknown key', '/api/keys/{id}/revoke', { sent: {}, id: 'AAAAAAAAAAAA' }, 404],
    ['the audit trail of what is no key', '/api/audit?id=%20', {}, 404],
    ['a wrong member', '/api/keys', { sent: { scopes: [] } }, 400],
    ['a key in another state', '/api/keys/{id}/rotate', { sent: {} }, 409],
    ['a page of somebody else', '/api/keys', { headers: { 'vantage-console-caller': 'bob' } }, 409],
    ['a mistake of the application', '/api/keys', { who: 'mistake' }, 500],
  ])('that refuses %s', async (_, path, options = {}, status) => {
    const id = await makeKey()
    if (path.endsWith('/rotate')) await keyring.revoke(id)
    const method = options.sent === undefined ? 'get' : 'post'
    const answer = await ask(method.toUpperCase(), path.replace('{id}', options.id ?? id), options)
    expect(answer.status).toBe(status)
    expectDescribed(path, method, answer)
  })
})

interface Answer {
  readonly status: number
  readonly body: unknown
}

async function ask(
  method: string,
  path: string,
  {
    sent,
    who = 'root',
    headers = {},
    mount = '',
  }: { sent?: object; who?: string; headers?: Record<string, string>; mount?: string; id?: string } = {},
): Promise<Answer> {
  const request = new Request(`http://console.test${path}`, {
    method,
    headers: { 'x-who': who, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json', ...headers },
    ...(sent && { body: JSON.stringify(sent) }),
  })
  const answer = await keyConsole.fetch(request, { mount })
  return { status: answer.status, body: await answer.json() }
}
