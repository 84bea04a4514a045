const { createVerifier, hasScope } = require('vantage-auth')
const { createTestAuth, createTestIssuer } = require('vantage-auth/testing')

const issuer = createTestIssuer()
const verifier = createVerifier({ ...issuer.options, keys: false })
const decide = async (token) => verifier.authenticate({ authorization: `Bearer ${token}` })

test('a token tells who calls', async () => {
  expect(await decide(issuer.mint({ sub: 'user_1' }))).toMatchObject({ kind: 'access_token', subject: 'user_1' })
})

test.each([
  ['expired', issuer.expired()],
  ['audience', issuer.wrongAudience()],
  ['key', issuer.wrongKey()],
])('a token is refused: %s', async (reason, token) => {
  await expect(decide(token)).rejects.toMatchObject({ status: 401, reason })
})

test('a handler is tested without a server', () => {
  const report = (auth) => (hasScope(auth, 'jobs:read') ? `jobs of ${auth.subject}` : 'nothing')
  expect(report(createTestAuth({ subject: 'ann', scopes: ['jobs:read'] }))).toBe('jobs of ann')
  expect(report(createTestAuth({ kind: 'api_key' }))).toBe('nothing')
})
