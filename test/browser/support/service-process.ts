import express from 'express'
import { authTest, vantageAuth } from '../../../adapters/express.js'
import { listen } from '../../support/frameworks.js'

// The process of service.ts.
const authenticate = vantageAuth({ keys: process.env.STORE as string })
const app = express()
app.use(authenticate)
app.get('/v1/auth/test', authTest())
const { port, close } = await listen(app)
console.log(`http://127.0.0.1:${port}`)
process.stdin.resume().once('end', async () => {
  await close()
  await authenticate.verifier.close()
})
