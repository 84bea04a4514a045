import fc from 'fast-check'
import { generateApiKey } from '../../src/api-key/format.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { CANARY, hostileRequests } from './hostile.js'
import { createTestIssuer } from './tokens.js'

// Decides on a thousand hostile requests, logs to standard error what NODE_DEBUG makes it log, and prints the texts that
// must not be among that.
const issuer = createTestIssuer()
const verifier = createVerifier({ ...issuer.options, keys: false })
const requests = fc.sample(
  hostileRequests({
    issuers: [issuer],
    apiKeys: [generateApiKey('live').key, generateApiKey('test').key],
    elsewhere: 'http://127.0.0.1:9',
  }),
  { seed: 20_261_125, numRuns: 1000 },
)
const parts = requests.flatMap(({ lines }) => lines.flatMap((line) => line.split(/[\s.,;:="]+/)))
for (const { lines } of requests) {
  await Promise.resolve()
    .then(() => verifier.authenticate({ authorization: lines }))
    .catch(() => {})
}
process.stdout.write(JSON.stringify([...new Set([CANARY, ...parts.filter((part) => part.length >= 16)])]))
