import express from 'express'
import { authTest, getAuth, requireScope, vantageAuth } from '../adapters/express.js'
import { type Running, serve } from './loopback.js'
import { SAMPLE_ROUTES, type SampleApiOptions } from './sample-api.js'

/** The sample API on Express. */
export function startExpressApi({ port, ...policy }: SampleApiOptions): Promise<Running> {
  const app = express()
  const authenticate = vantageAuth({ ...policy, environment: 'live' })
  app.use(authenticate)
  for (const { method, path, scope, status, answer } of SAMPLE_ROUTES) {
    app[method](path, requireScope(scope), (req, res) => {
      res.status(status).json(answer(getAuth(req)))
    })
  }
  app.get('/v1/auth/test', authTest())
  return serve(app, port, authenticate.verifier)
}
