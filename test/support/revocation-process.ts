/**
 * A process of a deployment with a revocation receiver: `receiver`, `dying receiver`, which ends when it has committed and
 * before it answers, or `service`. Tells its port.
 */
import type { AddressInfo } from 'node:net'
import express from 'express'
import { authTest, createRevocationReceiver, vantageAuth } from '../../adapters/express.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import type { KeyStore } from '../../src/store/contract.js'
import { openKeyStore } from '../../src/store/open.js'

const [role, keys, given] = process.argv.slice(2) as [string, string, string]
const issuer = JSON.parse(given)

process.on('disconnect', () => process.exit())

const app = express()
if (role === 'service') {
  app.use(vantageAuth({ issuer: [{ ...issuer, audience: 'api' }], keys, outageNotices: false }))
  app.get('/v1/auth/test', authTest())
} else {
  const store = openKeyStore(keys)
  const keyring = createKeyring(role === 'dying receiver' ? dyingAfterCommit(store) : store, { migrate: false })
  const issuers = [{ ...issuer, audience: 'receiver' }]
  app.post('/events', createRevocationReceiver({ keyring, issuers, timeoutMs: 5000, outageNotices: false }))
}
const server = app.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))

function dyingAfterCommit(store: KeyStore): KeyStore {
  return {
    ...store,
    async addTokenRevocationsOnce(...call) {
      await store.addTokenRevocationsOnce?.(...call)
      process.kill(process.pid, 'SIGKILL')
      return new Promise(() => {})
    },
  }
}
