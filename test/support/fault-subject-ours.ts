import express from 'express'
import { requireScope, vantageAuth } from '../../adapters/express.js'
import { serveSubject } from './fault-subject.js'

serveSubject((options) => {
  const app = express()
  app.use(vantageAuth(options))
  app.get('/v1/jobs', requireScope('jobs:read'), (_, response) => void response.json([]))
  return app
})
