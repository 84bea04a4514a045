import { afterEach, beforeEach, expect, test } from 'vitest'
import { ofProcess } from '../../src/core/of-process.js'
import {
  CLIENT,
  createWorld,
  LOGOUT_EVENT,
  NOW,
  PROVIDER,
  postEvent,
  postForm,
  postRevocation,
  type World,
} from '../support/providers.js'

let world: World
let warnings: (Error & { code?: string })[]
const listen = (warning: Error) => warnings.push(warning)
beforeEach(async () => {
  // Node emits warnings on a later tick: first those of other tests.
  await new Promise(setImmediate)
  warnings = []
  ofProcess('said', () => new Set<string>()).clear()
  process.on('warning', listen)
})
afterEach(() => {
  process.removeListener('warning', listen)
  return world.close()
})

async function told(): Promise<string[]> {
  await new Promise(setImmediate)
  for (const { code } of warnings) expect(code).toBe('VANTAGE_REVOCATION_REFUSED')
  return warnings.map(({ message }) => message)
}

test('a signed message for another audience is told of once, with what is expected and nothing of the message', async () => {
  world = createWorld()
  const { provider, receiver } = world
  for (let i = 0; i < 3; i++) {
    const request = postForm(provider.logoutToken({ aud: 'wrong-client', sid: 'secret-session', sub: 'secret-user' }))
    expect((await receiver.handle(request)).status).toBe(400)
  }
  const [message, ...others] = await told()
  expect(others).toEqual([])
  expect(message).toContain(`${PROVIDER} has signed a message that the revocation receiver refuses`)
  expect(message).toContain(`its aud is not ${CLIENT};`)
  expect(message).not.toMatch(/wrong-client|secret/)
})

test('each other reason is told of as well', async () => {
  world = createWorld()
  const { provider, receiver } = world
  const events = { [LOGOUT_EVENT]: {} }
  const stranger = { format: 'iss_sub', iss: 'https://other.example', sub: 'u1' }
  for (const request of [
    postForm(provider.logoutToken({ exp: NOW - 60 })),
    postForm(provider.logoutToken({ iat: NOW + 60 })),
    postForm(provider.logoutToken({ nonce: 'n', events })),
    postEvent(provider.securityEvent({ sub_id: stranger })),
    postRevocation(provider.revocationToken({ jti: undefined })),
  ]) {
    await receiver.handle(request)
  }
  expect((await told()).map((message) => message.split('no token is revoked: ')[1])).toEqual([
    expect.stringContaining('it has expired'),
    expect.stringContaining('it is of the future'),
    expect.stringContaining('it is a token of another kind'),
    expect.stringContaining('list that one in subjectIssuers'),
    'its reason is claims',
  ])
})

test('what nobody has signed is not told of', async () => {
  world = createWorld()
  const { provider, receiver } = world
  const [head = '', body = ''] = provider.logoutToken({ aud: 'wrong-client' }).split('.')
  const forged = [head, body, provider.logoutToken().split('.')[2]].join('.')
  expect((await receiver.handle(postForm(forged))).status).toBe(400)
  await receiver.handle(postForm(provider.logoutToken({ iss: 'https://other.example' })))
  expect(await told()).toEqual([])
})
