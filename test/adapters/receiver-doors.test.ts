/** Each kind of credential at each door: every door takes its own kind, and none of the others. */
import { createKeyring, createVerifier, memoryKeyStore } from 'vantage-auth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Keyring } from '../../src/keyring/contract.js'
import { exchange, FRAMEWORKS, type Running, type WireRequest } from '../support/frameworks.js'
import { CLIENT, CONTENT_TYPES, createProvider, NOW, PROVIDER, USER } from '../support/providers.js'
import { HOSTS, PATH, type RunningReceiver } from '../support/receivers.js'

const provider = createProvider()
const clock = () => NOW * 1000

const kinds = ['accessToken', 'idToken', 'logoutToken', 'securityEvent', 'revocationToken', 'apiKey'] as const
type Kind = (typeof kinds)[number]

const doors: Record<
  'form' | 'event' | 'json',
  { own: Kind; status: number; refused: number; apiKey?: number; request(credential: string): WireRequest }
> = {
  form: {
    own: 'logoutToken',
    status: 200,
    refused: 400,
    request: (credential) => ({ headers: [['Content-Type', CONTENT_TYPES.form]], body: `logout_token=${credential}` }),
  },
  event: {
    own: 'securityEvent',
    status: 202,
    refused: 400,
    request: (credential) => ({ headers: [['Content-Type', CONTENT_TYPES.event]], body: credential }),
  },
  json: {
    own: 'revocationToken',
    status: 204,
    refused: 400,
    // It is no token of another kind, but no token at all.
    apiKey: 401,
    request: (credential) => ({
      headers: [['Content-Type', CONTENT_TYPES.json]],
      authorization: `Bearer ${credential}`,
      body: JSON.stringify({ sub_id: USER }),
    }),
  },
}

let keyring: Keyring
let credentials: Record<Kind, string>
beforeAll(async () => {
  keyring = createKeyring(memoryKeyStore(), { clock })
  credentials = {
    // For the audience of the receiver as well, so that its kind alone tells.
    accessToken: provider.mint({ sub: 'u1', sid: 's1', scope: 'jobs:read', aud: CLIENT }),
    idToken: provider.idToken(),
    logoutToken: provider.logoutToken(),
    securityEvent: provider.securityEvent(),
    revocationToken: provider.revocationToken(),
    apiKey: (await keyring.create({ subject: 'u1', scopes: ['jobs:read'] })).key,
  }
})
afterAll(() => keyring.close())

describe.each(HOSTS)('$name', ({ start }) => {
  let running: RunningReceiver
  beforeAll(async () => {
    running = await start({ keyring, issuers: [{ issuer: PROVIDER, audience: CLIENT, jwks: provider.jwks }], clock })
  })
  afterAll(() => running.close())

  test.each(Object.entries(doors))('%s', async (_name, { own, status, refused, apiKey = refused, request }) => {
    const answers: Record<string, number> = {}
    for (const kind of kinds) {
      const answer = await exchange(running.port, { method: 'POST', path: PATH, ...request(credentials[kind]) })
      answers[kind] = answer.status
      expect(JSON.stringify(answer)).not.toContain(credentials[kind].slice(-20))
    }
    expect(answers).toEqual({ ...Object.fromEntries(kinds.map((kind) => [kind, refused])), apiKey, [own]: status })
    expect(running.failures).toEqual([])
  })
})

describe.each(FRAMEWORKS)('an API on $name', ({ start }) => {
  let running: Running
  const store = memoryKeyStore()
  const verifier = createVerifier({
    keys: store,
    issuer: [{ issuer: PROVIDER, audience: CLIENT, jwks: provider.jwks }],
    clock,
  })
  beforeAll(async () => {
    running = await start({ mounts: [{ verifier }], routes: [{ path: '/', answer: () => 'in' }] })
  })
  afterAll(async () => {
    await running.close()
    await verifier.close()
  })

  test('takes access tokens, and nothing that tells of an end', async () => {
    const answers: Record<string, number> = {}
    for (const kind of kinds) {
      answers[kind] = (await exchange(running.port, { authorization: `Bearer ${credentials[kind]}` })).status
    }
    expect(answers).toEqual({
      accessToken: 200,
      idToken: 401,
      logoutToken: 401,
      securityEvent: 401,
      revocationToken: 401,
      // Of another store.
      apiKey: 401,
    })
  })
})
