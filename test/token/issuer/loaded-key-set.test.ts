import type { JWK } from 'jose'
import { describe, expect, test, vi } from 'vitest'
import { createLoadedKeySet, takeOver } from '../../../src/token/issuer/loaded-key-set.js'
import { momentOf } from '../../../src/token/issuer/moment.js'
import { type KeySet, MAX_KEYS, parseKeySet, type VerificationKey } from '../../../src/token/key-set.js'
import { createKeyPair, publicJwk, type SigningAlgorithm } from '../../support/tokens.js'
import {
  ask,
  askNow,
  json,
  keyOf,
  MINUTE,
  old,
  SECOND,
  START,
  serve,
  settled,
  setUp,
  successor,
} from './issuer-world.js'

describe('freshness', () => {
  test('many first questions share one fetch', async () => {
    const { issuer, asked, metadataPath } = await setUp()
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(issuer)))
    expect(new Set(answers)).toEqual(new Set(['found']))
    expect(asked).toEqual([metadataPath, '/jwks'])
  })

  test('a set serves for 10 minutes, from 8 on with a refresh in the background', async () => {
    const { issuer, clock, fetches } = await setUp()
    await ask(issuer)
    clock.now = START + 8 * MINUTE - 1
    expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 8 * MINUTE
    expect(askNow(issuer)).toBe('found')
    expect(askNow(issuer)).toBe('found')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(fetches()).toBe(2)
    // The age of the new set counts from its own fetch.
    clock.now = START + 16 * MINUTE - 1
    expect(askNow(issuer)).toBe('found')
    await settled()
    expect(fetches()).toBe(2)
  })

  test('what a cache serves starts the refresh too', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 8 * MINUTE - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 8 * MINUTE
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(serve(issuer, key, clock)).toBe('fresh')
  })

  test('the question whether it serves starts no fetch', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 9 * MINUTE
    expect(issuer.freshness(key, clock.now)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    serve(issuer, key, clock)
    serve(issuer, key, clock)
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(fetches()).toBe(2)
  })

  test('a refresh in the background is for a set that still serves: an older one is fetched by who needs it', async () => {
    const { issuer, clock, fetches } = await setUp()
    const key = await keyOf(issuer)
    clock.now = START + 10 * MINUTE
    expect(serve(issuer, key, clock)).toBeUndefined()
    await settled()
    expect(fetches()).toBe(1)
  })

  test('a set of 10 minutes is not served unasked: a withdrawn key is found out', async () => {
    const { issuer, clock, keys } = await setUp()
    const key = await keyOf(issuer)
    keys(successor)
    clock.now = START + 10 * MINUTE - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    expect(serve(issuer, key, clock)).toBeUndefined()
    clock.now += 10 * MINUTE
    const [found] = await issuer.keysFor('ES256', 'new')
    expect(found && serve(issuer, found, clock)).toBe('fresh')
  })

  test('after 10 minutes the next question waits for the fetch', async () => {
    const { issuer, clock, keys } = await setUp()
    const key = await keyOf(issuer)
    keys(successor)
    clock.now = START + 10 * MINUTE
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(() => askNow(issuer)).toThrow('waited for')
    expect(await ask(issuer, 'new')).toBe('found')
  })

  test('an empty set withdraws nothing: what the last keys verified is served until they are too old', async () => {
    const { issuer, clock, keys, ended, fetches } = await setUp()
    const key = await keyOf(issuer)
    keys()
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer)).toBe('found')
    await ended(2)
    expect(serve(issuer, key, clock)).toBe('stale')
    // It backs off, like from any failed fetch.
    expect(askNow(issuer)).toBe('found')
    expect(fetches()).toBe(2)
    clock.now = START + 60 * MINUTE
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(await ask(issuer)).toMatch('unavailable')
    clock.now += MINUTE
    keys(old)
    expect(await ask(issuer)).toBe('found')
  })

  test('a withdrawn key ends what it verified, a kept one does not', async () => {
    const { issuer, clock, keys } = await setUp()
    keys(old, successor)
    const [withdrawn, kept] = [await keyOf(issuer), (await issuer.keysFor('ES256', 'new'))[0] as never]
    keys(successor)
    clock.now = START + 10 * MINUTE
    expect(await ask(issuer, 'new')).toBe('found')
    expect(serve(issuer, withdrawn, clock)).toBeUndefined()
    expect(serve(issuer, kept, clock)).toBe('fresh')
  })

  test('keySetMaxStaleSeconds below 600 shortens freshness as well', async () => {
    const { issuer, clock, fetches, down, ended } = await setUp({ keySetMaxStaleSeconds: 100 })
    const key = await keyOf(issuer)
    clock.now = START + 80 * SECOND - 1
    expect(serve(issuer, key, clock)).toBe('fresh')
    await settled()
    expect(fetches()).toBe(1)
    clock.now = START + 80 * SECOND
    expect(serve(issuer, key, clock)).toBe('fresh')
    await vi.waitFor(() => expect(issuer.generation).toBe(2))
    down()
    clock.now = START + 180 * SECOND - 1
    expect(askNow(issuer)).toBe('found')
    await ended(3)
    clock.now = START + 180 * SECOND
    expect(serve(issuer, key, clock)).toBeUndefined()
    expect(await ask(issuer)).toMatch('unavailable')
  })

  test('whoever waited for a set gets it, however long the fetch took', async () => {
    const { issuer, clock, answers } = await setUp({ keySetMaxStaleSeconds: 1 })
    answers.set('/jwks', (response, request) => {
      clock.now += 2 * SECOND
      json({ keys: [old] })(response, request)
    })
    expect(await ask(issuer)).toBe('found')
  })
})

const jwkOf = (alg: SigningAlgorithm, members: Partial<JWK> = {}) => publicJwk(createKeyPair(alg).publicKey, members)
const ec = jwkOf('ES256', { kid: 'a' })

function only(set: KeySet | undefined, kid = 'a'): VerificationKey {
  const keys = set?.match('ES256', kid).keys ?? []
  if (keys[0] === undefined || keys.length !== 1) throw new Error(`${keys.length} keys fit`)
  return keys[0]
}

/** A set that has loaded the keys. */
function loadedWith(...keys: unknown[]) {
  const loaded = createLoadedKeySet(['ES256', 'ES384'], 60 * MINUTE)
  loaded.replace({ keys }, momentOf(START), 1)
  return loaded
}

describe('a set that is refused withdraws nothing', () => {
  test.each<[what: string, value: unknown]>([
    ['no key set', { keys: 'x' }],
    ['too many keys', { keys: Array(MAX_KEYS + 1).fill(ec) }],
    ['no keys at all', { keys: [] }],
    ['entries that are no objects', { keys: [null, 1, 'x'] }],
    ['a key for encryption', { keys: [{ ...ec, use: 'enc' }] }],
    ['a private key', { keys: [createKeyPair('ES256').privateKey.export({ format: 'jwk' })] }],
    ['a symmetric key', { keys: [{ kty: 'oct', k: 'AAAA', kid: 'a' }] }],
    ['a broken key', { keys: [{ ...ec, x: 'AAAA' }] }],
    ['keys for other algorithms than those that are accepted', { keys: [jwkOf('RS256'), jwkOf('EdDSA')] }],
  ])('%s', (_, value) => {
    const loaded = loadedWith(ec)
    const key = only(loaded.set)
    expect(() => loaded.replace(value, momentOf(START + MINUTE), 2)).toThrow(TypeError)
    expect(loaded).toMatchObject({ generation: 1, fetchNumber: 1, fetchedAt: { wall: START } })
    expect(only(loaded.set)).toBe(key)
    expect(key.isCurrent()).toBe(true)
  })

  test('but one usable key among the others is enough', () => {
    const loaded = loadedWith(ec)
    const key = only(loaded.set)
    loaded.replace({ keys: [null, { ...ec, kid: 'b', use: 'enc' }, ec] }, momentOf(START + MINUTE), 2)
    expect(loaded).toMatchObject({ generation: 2, fetchNumber: 2, fetchedAt: { wall: START + MINUTE } })
    expect(only(loaded.set)).toBe(key)
  })
})

describe('a newer set that takes over', () => {
  const setOf = (...keys: unknown[]) => parseKeySet({ keys })

  test('keeps the object of a key that is still there, and withdraws the others', () => {
    const b = jwkOf('ES256', { kid: 'b' })
    const before = setOf(ec, b)
    const [kept, gone] = [only(before, 'a'), only(before, 'b')]
    expect([kept.isCurrent(), gone.isCurrent()]).toEqual([true, true])

    const after = takeOver(before, setOf({ ...ec }, jwkOf('ES256', { kid: 'c' })))
    expect(only(after, 'a')).toBe(kept)
    expect(only(after, 'c').isCurrent()).toBe(true)
    expect([kept.isCurrent(), gone.isCurrent()]).toEqual([true, false])

    // The key comes back: what it had verified before it was withdrawn stays withdrawn.
    const again = takeOver(after, setOf(ec, b))
    expect(only(again, 'b')).not.toBe(gone)
    expect([only(again, 'b').isCurrent(), gone.isCurrent()]).toEqual([true, false])
  })

  test.each<[what: string, members: object]>([
    ['material', { x: jwkOf('ES256').x }],
    ['kid', { kid: 'b' }],
    ['use', { use: 'enc' }],
    ['alg', { alg: 'ES384' }],
    ['operations', { key_ops: ['sign'] }],
    ['secrecy', { d: 'AAAA' }],
  ])('withdraws a key whose %s changed', (_, members) => {
    const before = setOf(ec)
    const key = only(before)
    takeOver(before, setOf({ ...ec, ...members }))
    expect(key.isCurrent()).toBe(false)
  })

  test.each(['use', 'alg', 'key_ops'])(
    'tells a key without %s from one where it is null, which fits nothing',
    (member) => {
      const withNull = { ...ec, [member]: null }
      const before = setOf(ec)
      const accepted = only(before)
      expect(takeOver(before, setOf(withNull)).match('ES256', 'a').keys).toEqual([])
      expect(accepted.isCurrent()).toBe(false)
      expect(takeOver(setOf(withNull), setOf(ec)).match('ES256', 'a').keys).toHaveLength(1)
      expect(setOf(withNull, ec)).toMatchObject({ size: 2 })
    },
  )

  test('keeps a key whose decoration changed', () => {
    const before = setOf(ec)
    const key = only(before)
    expect(only(takeOver(before, setOf({ x5t: 'AAAA', exp: 1, ...ec })))).toBe(key)
  })
})
