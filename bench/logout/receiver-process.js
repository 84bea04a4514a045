/** The receiver of logout tokens, in a process of its own, on the key store of the services. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import express from 'express'
import { createKeyring, expressAdapter } from '../shared/built-package.js'
import { sharedNow } from '../shared/timing.js'

/** @import { AddressInfo } from 'node:net' */

/** @typedef {{ url: string, issuer: string, audience: string }} Start */

/** @param {object} message */
const tell = (message) => process.send?.(message)

// Its address is registered at the issuer, and so comes before the issuer.
const server = createServer()
await once(server.listen(0, '127.0.0.1'), 'listening')
tell({ port: /** @type {AddressInfo} */ (server.address()).port })

const [{ url, issuer, audience }] = /** @type {[Start]} */ (await once(process, 'message'))
const receiver = expressAdapter.createRevocationReceiver({
  keyring: createKeyring(url),
  issuers: [{ issuer, audience, tokenLife: '1h' }],
})
const app = express()
app.use('/events', (_req, res, next) => {
  res.on('finish', () => tell({ answered: res.statusCode, at: sharedNow() }))
  next()
})
app.use('/events', receiver)
server.on('request', app)
tell({ ready: true })
