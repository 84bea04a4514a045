import type { Server } from 'node:http'
import express from 'express'
import { authTest, createRevocationReceiver, getAuth, requireScope, vantageAuth } from '../adapters/express.js'
import { createKeyring } from '../src/keyring/keyring.js'
import { SAMPLE_ROUTES, type SampleApiOptions } from './sample-api.js'

/** Where the authorization server says that a session has ended. */
export const EVENTS_PATH = '/events'

export interface ExpressApiOptions extends Omit<SampleApiOptions, 'port'> {
  /** The client that the authorization server tells of ended sessions: what its logout tokens are for. */
  readonly logoutAudience: string
}

/**
 * Serves the sample API on Express, and a receiver of logout tokens for all three: what it revokes is in the key store that
 * they share.
 *
 * @param server which listens already, since the authorization server has to know the address of the receiver
 * @returns what closes all but the server
 */
export function serveExpressApi(server: Server, { logoutAudience, ...policy }: ExpressApiOptions): () => Promise<void> {
  const app = express()
  const keyring = createKeyring(policy.keys, { migrate: false })
  const receiver = createRevocationReceiver({
    keyring,
    issuers: [{ issuer: policy.issuer, audience: logoutAudience, tokenLife: '1h' }],
  })
  // Before vantageAuth(): what the authorization server sends there is no credential.
  app.post(EVENTS_PATH, receiver)
  const authenticate = vantageAuth({ ...policy, environment: 'live' })
  app.use(authenticate)
  for (const { method, path, scope, status, answer } of SAMPLE_ROUTES) {
    app[method](path, requireScope(scope), (req, res) => {
      res.status(status).json(answer(getAuth(req)))
    })
  }
  app.get('/v1/auth/test', authTest())
  server.on('request', app)
  return async () => {
    await receiver.close()
    await keyring.close()
    await authenticate.verifier.close()
  }
}
