import { expect, test } from 'vitest'
import type { IssuerOptions } from '../../src/config/options.js'
import { subjectsOf } from '../../src/core/auth.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import { createTestIssuer } from '../support/tokens.js'
import { readVectors } from '../support/vectors.js'

/** Options of an issuer, a change to a good token, and what becomes of the token. */
interface Vector {
  name: string
  options: Omit<IssuerOptions, 'issuer' | 'jwks'>
  /** Claims in the place of the good ones, which have no scope. */
  set?: Record<string, unknown>
  /** Claims left out. */
  without?: string[]
  /** Claims whose value is this text, for what JSON.stringify does not write. */
  raw?: Record<string, string>
  /** The reason of the refusal; without one the token is accepted. */
  reason?: string
  /** Members of the Auth, `subjects` aside, which are all names of the subject. */
  auth?: { subjects?: readonly string[] } & Record<string, unknown>
}

const issuer = createTestIssuer()

function payloadOf({ set, without = [], raw = {} }: Vector): string {
  const claims = Object.entries(issuer.claims({ scope: undefined, ...set })).filter(([name]) => !without.includes(name))
  const members = Object.entries(raw).map(([name, text]) => `,${JSON.stringify(name)}:${text}`)
  return JSON.stringify(Object.fromEntries(claims)).replace(/}$/, `${members.join('')}}`)
}

test.each(readVectors<Vector>('claim-options'))('$name', async (vector) => {
  const verifier = createVerifier({ issuer: [{ ...issuer.options, ...vector.options }], keys: false })
  const token = issuer.mintRaw({ payload: payloadOf(vector) })
  if (vector.reason !== undefined) {
    expect(await outcomeOf(verifier, token)).toBe(vector.reason)
    return
  }
  const { subjects, ...members } = vector.auth ?? {}
  const auth = await verifier.authenticate({ authorization: `Bearer ${token}` })
  expect(auth).toMatchObject(members)
  expect(Object.isFrozen(auth.scopes)).toBe(true)
  if (auth.kind === 'access_token' && subjects !== undefined) expect(subjectsOf(auth)).toEqual(subjects)
})

test('tokens with one text, and those that one grant is for, share one list of scopes', async () => {
  const entry: IssuerOptions = {
    ...issuer.options,
    scopeMap: { a: ['b', 'c'] },
    grants: [{ match: { sub: 'user:*' }, scopes: ['d'] }],
  }
  const verifier = createVerifier({ issuer: [entry], keys: false })
  const scopesOf = async (claims: Record<string, unknown>) =>
    (await verifier.authenticate({ authorization: `Bearer ${issuer.mint(claims)}` })).scopes
  expect(await scopesOf({ scope: 'a x', jti: '1' })).toEqual(['b', 'c', 'x'])
  expect(await scopesOf({ scope: 'a x', jti: '1' })).toBe(await scopesOf({ scope: 'a x', jti: '2' }))
  const workload = { scope: undefined, sub: 'user:1' }
  expect(await scopesOf(workload)).toEqual(['d'])
  expect(await scopesOf(workload)).toBe(await scopesOf({ ...workload, sub: 'user:2' }))
})

test('one issuer does not map scopes, or grant them, as another does', async () => {
  const other = createTestIssuer({ issuer: 'https://other.example' })
  const grants = [{ match: { sub: 'user_123' }, scopes: ['d'] }]
  const verifier = createVerifier({
    issuer: [
      { ...issuer.options, scopeMap: { a: 'b' }, grants },
      { ...other.options, scopeMap: { a: 'c' } },
    ],
    keys: false,
  })
  const scopesOf = async (token: string) => (await verifier.authenticate({ authorization: `Bearer ${token}` })).scopes
  for (const scope of ['a', ['a']]) {
    expect(await scopesOf(issuer.mint({ scope }))).toEqual(['b'])
    expect(await scopesOf(other.mint({ scope }))).toEqual(['c'])
  }
  expect(await scopesOf(issuer.mint({ scope: undefined }))).toEqual(['d'])
  expect(await scopesOf(other.mint({ scope: undefined }))).toEqual([])
})

test('a revocation finds a token by each name of its subject, by its client and by its session', async () => {
  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  const entry: IssuerOptions = {
    ...issuer.options,
    subjectClaim: 'oid',
    subjectAliases: ['uid'],
    sessionClaim: 'session.id',
    clientIdClaim: 'app.id',
  }
  const verifier = createVerifier({ issuer: [entry], keys: store })
  const mint = (n: string) =>
    issuer.mint({ sub: `sub${n}`, oid: `oid${n}`, uid: `uid${n}`, session: { id: `sid${n}` }, app: { id: `app${n}` } })
  const issuedBefore = new Date(Date.now() + 60_000)
  const selectors = [
    { subject: 'sub1', issuedBefore },
    { subject: 'oid2', issuedBefore },
    { subject: 'uid3', issuedBefore },
    { clientId: 'app4', issuedBefore },
    { sessionId: 'sid5' },
  ]
  const tokens = [1, 2, 3, 4, 5, 6].map((n) => mint(String(n)))
  for (const token of tokens) expect(await outcomeOf(verifier, token)).toBe('accepted')
  for (const selector of selectors) await keyring.revokeTokens({ issuer: issuer.issuer, ...selector } as never)
  const outcomes = await Promise.all(tokens.map((token) => outcomeOf(verifier, token)))
  expect(outcomes).toEqual([...Array(5).fill('revoked'), 'accepted'])
  await verifier.close()
})
