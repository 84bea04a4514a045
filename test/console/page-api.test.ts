import { afterEach, expect, test, vi } from 'vitest'
import { api } from '../../console/page/api.js'

afterEach(() => vi.unstubAllGlobals())

const answer = (status: number, body: object | string, headers: Record<string, string> = {}) =>
  vi.stubGlobal('fetch', async () =>
    typeof body === 'string'
      ? new Response(body, { status, headers })
      : Response.json(body, { status, headers: { ...headers } }),
  )
const error = (name: string) => ({ error: name, error_description: 'A sentence' })

test.each<[what: string, status: number, body: object | string, trouble: string, message: string]>([
  ['the key store is out of reach', 503, error('temporarily_unavailable'), 'unavailable', 'A sentence'],
  ['a mistake of the application', 500, error('server_error'), 'failed', 'A sentence'],
  ['a proxy without its server', 502, '<html>Bad gateway</html>', 'failed', ''],
  ['a page in place of an answer', 200, '<html>Hello</html>', 'failed', ''],
  ['too many requests', 429, 'Slow down', 'busy', ''],
  ['a refusal', 400, error('invalid_request'), 'refused', 'A sentence'],
])('%s is told as that', async (_, status, body, trouble, message) => {
  answer(status, body, { 'Retry-After': '7' })
  const retryAfterSeconds = trouble === 'refused' ? 0 : 7
  await expect(api.keys({})).rejects.toMatchObject({ trouble, message, status, retryAfterSeconds })
})

test('a request that was turned away has done nothing; one that failed may have', async () => {
  answer(429, '')
  await expect(api.create({ scopes: [] })).rejects.toMatchObject({ mayHaveHappened: false })
  answer(500, error('server_error'))
  await expect(api.create({ scopes: [] })).rejects.toMatchObject({ mayHaveHappened: true })
})
