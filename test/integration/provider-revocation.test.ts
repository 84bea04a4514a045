import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AuthorizationServer, startAuthorizationServer } from '../../demo/authorization-server.js'
import type { DecisionEvent, RevocationEvent } from '../../src/core/telemetry.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { FRAMEWORKS, type Framework } from '../support/frameworks.js'
import { HOSTS, PATH, type ReceiverHost } from '../support/receivers.js'
import { until } from '../support/until.js'

const AUDIENCE = 'https://api.example'
const CLIENT = { clientId: 'web-app', clientSecret: 'correct horse', name: 'Web application' }

let provider: AuthorizationServer
/** Where the provider was told to send logout tokens, whichever receiver is the one now. */
let relay: Server
let receiverPort = 0
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vantage-auth-provider-'))
  relay = createServer((req, res) => {
    const { method, url, headers } = req
    const onward = request({ host: '127.0.0.1', port: receiverPort, method, path: url, headers }, (answer) => {
      res.writeHead(answer.statusCode as number, answer.headers)
      answer.pipe(res)
    })
    onward.on('error', () => res.destroy())
    req.pipe(onward)
  })
  await once(relay.listen(0, '127.0.0.1'), 'listening')
  const backchannelLogoutUri = `http://127.0.0.1:${(relay.address() as AddressInfo).port}${PATH}`
  provider = await startAuthorizationServer({
    port: 0,
    interactive: false,
    audience: AUDIENCE,
    account: 'ada',
    clients: [{ ...CLIENT, backchannelLogoutUri }],
  })
})
afterAll(async () => {
  await provider.close()
  relay.closeAllConnections()
  await once(relay.close(), 'close')
  rmSync(folder, { recursive: true, force: true })
})

/** Each framework, with the receiver and with the service on it. */
const PAIRS: readonly (readonly [string, ReceiverHost, Framework])[] = FRAMEWORKS.map((framework) => [
  framework.name,
  HOSTS.find(({ name }) => name === `${framework.name} behind nothing`) as ReceiverHost,
  framework,
])

describe.each(PAIRS)('a provider that ends a session, with %s', (name, host, framework) => {
  test('ends its access tokens, cached ones too, and those of no other session', async () => {
    const keys = `sqlite:${join(folder, `${name}.db`)}`
    const keyring = createKeyring(keys)
    await keyring.list()
    const { issuer } = provider
    const receiver = await host.start({
      keyring,
      issuers: [{ issuer, audience: CLIENT.clientId, allowInsecureHttp: true, tokenLife: '1h' }],
    })
    receiverPort = receiver.port
    const service = await framework.start({
      mounts: [{ issuer: [{ issuer, audience: AUDIENCE, allowInsecureHttp: true }], keys }],
      routes: [{ path: '/v1/auth/test' }],
    })
    const decisions: DecisionEvent[] = []
    const revocations: RevocationEvent[] = []
    const onDecision = (event: unknown) => decisions.push(event as DecisionEvent)
    const onRevocation = (event: unknown) => revocations.push(event as RevocationEvent)
    subscribe('vantage-auth:decision', onDecision)
    subscribe('vantage-auth:revocation', onRevocation)
    try {
      const [ended, other] = [await signIn(), await signIn()]
      expect(decodeJwt(ended).sid).not.toBe(decodeJwt(other).sid)
      for (const token of [ended, other, ended, other]) expect(await ask(service.port, token)).toBe(200)
      expect(decisions.map(({ cached }) => cached)).toEqual([false, false, true, true])

      const answer = await fetch(provider.endSession, {
        method: 'POST',
        headers: { authorization: `Bearer ${ended}` },
      })
      // It says so only where the receiver has taken the logout token.
      expect([answer.status, await answer.json()]).toEqual([200, { ended: 1 }])
      expect(revocations).toMatchObject([{ outcome: 'revoked', kind: 'logout_token', issuer }])
      await until(async () => (await ask(service.port, ended)) === 401)
      expect(decisions.at(-1)).toMatchObject({ outcome: 'token_invalid', reason: 'revoked' })
      expect(await ask(service.port, other)).toBe(200)
      expect([receiver.failures, service.failures]).toEqual([[], []])
    } finally {
      unsubscribe('vantage-auth:decision', onDecision)
      unsubscribe('vantage-auth:revocation', onRevocation)
      await Promise.all([receiver.close(), service.close()])
      await keyring.close()
    }
  })
})

function signIn(): Promise<string> {
  return provider.openSession(CLIENT.clientId, ['jobs:read'])
}

async function ask(port: number, token: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/auth/test`, {
    headers: { authorization: `Bearer ${token}` },
  })
  await response.text()
  return response.status
}
