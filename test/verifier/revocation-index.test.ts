import { describe, expect, test } from 'vitest'
import { type AccessTokenAuth, noteSubjects } from '../../src/core/auth.js'
import type { StoredTokenRevocation } from '../../src/store/contract.js'
import { createRevocationIndex, indexRevocations } from '../../src/verifier/revocation-index.js'

const ISSUER = 'https://issuer.example'
const SECOND = 1_764_072_000

function revocation(id: string, values: Partial<StoredTokenRevocation>): StoredTokenRevocation {
  const names = {
    tokenId: null,
    subject: null,
    clientId: null,
    sessionId: null,
    withoutSession: false,
    issuedBefore: null,
  }
  return { id, issuer: ISSUER, ...names, createdAt: 0, createdBy: null, reason: null, endsAt: 1e15, ...values }
}

function token(values: {
  tokenId?: string
  subject?: string
  clientId?: string
  sessionId?: string
  iat?: number
  issuer?: string
}) {
  const { iat, ...names } = values
  const claims = iat === undefined ? {} : { iat }
  const others = { issuer: ISSUER, tokenId: null, subject: 'u', clientId: null, sessionId: null }
  return { ...others, ...names, claims } as unknown as AccessTokenAuth
}

describe('an index of revocations', () => {
  test.each([
    ['at the beginning of a second', 1000 * SECOND],
    ['within a second', 1000 * SECOND + 999],
  ])('refuses tokens of the second in which issuedBefore lies: %s', (_, issuedBefore) => {
    const index = createRevocationIndex()
    index.add(revocation('s', { subject: 'stolen', issuedBefore }))
    index.add(revocation('c', { clientId: 'leaky', issuedBefore }))
    for (const names of [{ subject: 'stolen' }, { clientId: 'leaky' }]) {
      expect(index.lists(token({ ...names, iat: SECOND }))).toBe(true)
      expect(index.lists(token({ ...names, iat: SECOND + 0.5 }))).toBe(true)
      expect(index.lists(token({ ...names, iat: SECOND + 1 }))).toBe(false)
      expect(index.lists(token(names))).toBe(true)
      expect(index.lists(token({ ...names, issuer: `${ISSUER}/` }))).toBe(false)
    }
  })

  test('refuses the tokens of a session, all of them or those up to an instant', () => {
    const index = createRevocationIndex()
    index.add(revocation('a', { sessionId: 'ended' }))
    index.add(revocation('b', { sessionId: 'before', issuedBefore: 1000 * SECOND }))
    expect(index.lists(token({ sessionId: 'ended', iat: SECOND + 1e6 }))).toBe(true)
    expect(index.lists(token({ sessionId: 'before', iat: SECOND }))).toBe(true)
    expect(index.lists(token({ sessionId: 'before', iat: SECOND + 1 }))).toBe(false)
    expect(index.lists(token({ sessionId: 'other', iat: SECOND }))).toBe(false)
    expect(index.lists(token({ iat: SECOND }))).toBe(false)
    expect(index.lists(token({ sessionId: 'ended', issuer: `${ISSUER}/` }))).toBe(false)
    index.remove('a')
    expect(index.lists(token({ sessionId: 'ended' }))).toBe(false)
  })

  test('refuses, of a subject without a session, only the tokens that carry none', () => {
    const index = createRevocationIndex()
    index.add(revocation('a', { subject: 'u', withoutSession: true, issuedBefore: 1000 * SECOND }))
    expect(index.lists(token({ iat: SECOND }))).toBe(true)
    expect(index.lists(token({ iat: SECOND + 1 }))).toBe(false)
    expect(index.lists(token({ iat: SECOND, sessionId: 's' }))).toBe(false)
    index.add(revocation('b', { subject: 'u', issuedBefore: 1000 * SECOND }))
    expect(index.lists(token({ iat: SECOND, sessionId: 's' }))).toBe(true)
  })

  test('compares every name that the subject of a token has', () => {
    const index = createRevocationIndex()
    const auth = token({ subject: 'ann@example.com', iat: SECOND })
    noteSubjects(auth, ['00u1'])
    index.add(revocation('a', { subject: '00u1', issuedBefore: 1000 * SECOND }))
    expect(index.lists(auth)).toBe(true)
    expect(index.lists(token({ subject: 'ann@example.com', iat: SECOND }))).toBe(false)
    index.remove('a')
    index.add(revocation('b', { subject: '00u1', withoutSession: true, issuedBefore: 1000 * SECOND }))
    expect(index.lists(auth)).toBe(true)
    index.remove('b')
    index.add(revocation('c', { subject: 'ann@example.com', issuedBefore: 1000 * SECOND }))
    expect(index.lists(auth)).toBe(true)
  })

  test('reads what a store that knows of no sessions answers, and nothing that it half understands', () => {
    const { sessionId: _, withoutSession: __, ...old } = revocation('a', { subject: 'u', issuedBefore: 1000 * SECOND })
    const index = createRevocationIndex()
    index.add(old)
    expect(index.lists(token({ sessionId: 's', iat: SECOND }))).toBe(true)
    for (const wrong of [
      revocation('b', { sessionId: 's', issuedBefore: 'soon' as never }),
      revocation('b', { sessionId: 's', issuedBefore: undefined as never }),
      revocation('b', { sessionId: 7 as never }),
      revocation('b', { subject: 'u', withoutSession: 1 as never, issuedBefore: 1 }),
      revocation('b', { subject: 'u', withoutSession: true }),
    ]) {
      expect(() => index.add(wrong)).toThrow(TypeError)
    }
  })

  test('of several revocations of a subject heeds the one that refuses most, until that is removed', () => {
    const index = createRevocationIndex()
    for (const [id, second] of [
      ['a', 10],
      ['b', 30],
      ['c', 20],
    ] as const) {
      index.add(revocation(id, { subject: 'u', issuedBefore: 1000 * second }))
    }
    const refusedUpTo = () => [30, 20, 10, 0].find((iat) => index.lists(token({ iat })))
    expect(refusedUpTo()).toBe(30)
    index.remove('b')
    expect(refusedUpTo()).toBe(20)
    index.remove('a')
    index.remove('unknown')
    expect(refusedUpTo()).toBe(20)
    index.remove('c')
    expect(refusedUpTo()).toBeUndefined()
    expect(index.size).toBe(0)
  })

  test('has one revocation for each id, the latest', () => {
    const index = createRevocationIndex()
    index.add(revocation('a', { tokenId: 'one' }))
    index.add(revocation('b', { tokenId: 'one' }))
    index.add(revocation('a', { tokenId: 'other' }))
    index.remove('b')
    expect(index.lists(token({ tokenId: 'one' }))).toBe(false)
    expect(index.lists(token({ tokenId: 'other' }))).toBe(true)
    expect(index.size).toBe(1)
  })

  test('drops those that have ended, so that it does not grow for ever', () => {
    const index = createRevocationIndex()
    for (let i = 0; i < 1000; i++) index.add(revocation(`r${i}`, { tokenId: `t${i}`, endsAt: i }))
    index.removeEnded(990)
    expect(index.size).toBe(9)
    expect(index.lists(token({ tokenId: 't990' }))).toBe(false)
    expect(index.lists(token({ tokenId: 't991' }))).toBe(true)
  })

  test('drops tens of thousands of one name as well', () => {
    const index = createRevocationIndex()
    const many = Array.from({ length: 30_000 }, (_, i) => i)
    for (const i of many) index.add(revocation(`t${i}`, { tokenId: 'same', endsAt: 1 }))
    for (const i of many)
      index.add(revocation(`s${i}`, { subject: 'u', issuedBefore: 1000 * i, endsAt: i < 100 ? 5 : 1 }))
    expect(index.lists(token({ iat: 29_999 }))).toBe(true)
    index.removeEnded(1)
    expect(index.size).toBe(100)
    expect(index.lists(token({ tokenId: 'same', iat: 100 }))).toBe(false)
    expect(index.lists(token({ iat: 99 }))).toBe(true)
  })

  test.each<[string, unknown]>([
    ['nothing', null],
    ['no id', { ...revocation('a', { tokenId: 'x' }), id: undefined }],
    ['no issuer', { ...revocation('a', { tokenId: 'x' }), issuer: undefined }],
    ['nothing that is revoked', revocation('a', {})],
    ['no instant', revocation('a', { subject: 'u', issuedBefore: Number.NaN })],
    ['an instant of null', revocation('a', { subject: 'u' })],
    ['no end', { ...revocation('a', { tokenId: 'x' }), endsAt: undefined }],
  ])('does not pass over what is no revocation: %s', async (_, given) => {
    expect(() => createRevocationIndex().add(given)).toThrow(TypeError)
    await expect(indexRevocations([given])).rejects.toThrow(TypeError)
  })

  test.each([null, undefined, {}, 'x'])('is not made of %j, which is no list', async (answer) => {
    await expect(indexRevocations(answer)).rejects.toThrow(TypeError)
  })
})
