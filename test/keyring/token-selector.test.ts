import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../src/core/errors.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier } from '../../src/verifier/verifier.js'

const issuer = 'https://issuer.example'
const HOUR = 3_600_000

const KEY = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'
const BODY = KEY.slice('vak_live_'.length)

describe('a text that holds an API key is refused, not repeated and not stored', () => {
  const jti = { issuer, tokenId: 'jti' }

  test.each<[string, object, object?]>([
    ['tokenId', { issuer, tokenId: KEY }],
    ['tokenId', { issuer, tokenId: `x:${BODY}` }],
    ['subject', { issuer, subject: BODY, issuedBefore: new Date() }],
    ['clientId', { issuer, clientId: KEY, issuedBefore: new Date() }],
    ['issuer', { issuer: `https://${BODY}`, tokenId: 'jti' }],
    ['reason', jti, { reason: `leaked ${KEY}` }],
    ['actor', jti, { actor: BODY }],
  ])('as %s of tokens', async (name, selector, options) => {
    const keyring = createKeyring(memoryKeyStore())
    const error = await keyring.revokeTokens(selector as never, options).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toBe(`${name} must not hold an API key: it would be stored and shown in clear`)
    expect(await keyring.tokenRevocations()).toEqual([])
  })

  test('as subject, name, tenant, actor and reason of a key', async () => {
    const keyring = createKeyring(memoryKeyStore())
    const minimal = { subject: 's', scopes: ['jobs:read'] as const }
    for (const name of ['subject', 'name', 'tenant', 'actor']) {
      for (const given of [KEY, BODY, `for ${KEY}`]) {
        await expect(keyring.create({ ...minimal, [name]: given })).rejects.toThrow(`${name} must not hold an API key`)
      }
    }
    expect((await keyring.list()).keys).toEqual([])
    const { record } = await keyring.create(minimal)
    await expect(keyring.revoke(record.id, { reason: KEY })).rejects.toThrow('reason must not hold an API key')
    await expect(keyring.rotate(record.id, { actor: KEY })).rejects.toThrow('actor must not hold an API key')
    await expect(keyring.list({ subject: KEY })).rejects.toThrow('subject must not hold an API key')
  })
})

describe('revokeTokens', () => {
  test('tells what it revoked, and until when it is kept', async () => {
    const keyring = createKeyring(memoryKeyStore())
    const issuedBefore = new Date(Date.now() + HOUR)
    const before = Date.now()
    const record = await keyring.revokeTokens(
      { issuer, subject: 'u', issuedBefore },
      { actor: 'ann', reason: 'stolen', tokenLife: '1h' },
    )
    expect(record).toMatchObject({ issuer, subject: 'u', tokenId: null, clientId: null, issuedBefore })
    expect(record).toMatchObject({
      createdBy: 'ann',
      reason: 'stolen',
      endsAt: new Date(issuedBefore.getTime() + HOUR + 600_000),
    })
    const { endsAt } = await keyring.revokeTokens({ issuer, tokenId: 'jti' })
    expect(Math.round((endsAt.getTime() - before) / HOUR)).toBe(365 * 24)
    expect((await keyring.tokenRevocations()).map(({ tokenId }) => tokenId).sort()).toEqual(['jti', null])
    const { entries } = await keyring.audit()
    expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
      ['revoke_tokens', null],
      ['revoke_tokens', 'ann'],
    ])
  })

  test.each<[string, unknown]>([
    ['a Date', new Date('2026-11-25T12:00:00Z')],
    ['milliseconds', Date.parse('2026-11-25T12:00:00Z')],
    ['a text with a time zone', '2026-11-25T13:00:00+01:00'],
  ])('takes an instant as %s', async (_, issuedBefore) => {
    const record = await createKeyring(memoryKeyStore()).revokeTokens({ issuer, clientId: 'c', issuedBefore } as never)
    expect(record.issuedBefore).toEqual(new Date('2026-11-25T12:00:00Z'))
  })

  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /revokeTokens/],
    ['no issuer', { tokenId: 'a' }, /^issuer/],
    ['nothing that is revoked', { issuer }, /one of tokenId, subject, clientId and sessionId/],
    [
      'two things that are revoked',
      { issuer, tokenId: 'a', subject: 'b' },
      /one of tokenId, subject, clientId and sessionId/,
    ],
    ['a subject without an instant', { issuer, subject: 'b' }, /^issuedBefore/],
    ['a token with an instant', { issuer, tokenId: 'a', issuedBefore: new Date() }, /^issuedBefore/],
    ['seconds', { issuer, subject: 'b', issuedBefore: 1_764_072_000 }, /^issuedBefore/],
    ['no instant', { issuer, subject: 'b', issuedBefore: new Date(Number.NaN) }, /^issuedBefore/],
    ['a local time', { issuer, subject: 'b', issuedBefore: '2026-11-25T12:00:00' }, /^issuedBefore/],
    [
      'a name that no token can hold',
      { issuer, tokenId: 'x'.repeat(8193) },
      /^tokenId must be a text of 1 to 8192 bytes/,
    ],
    ['a name of too many bytes', { issuer, tokenId: '日'.repeat(2731) }, /^tokenId/],
    ['an empty name', { issuer, subject: '', issuedBefore: new Date() }, /^subject/],
    ['another member', { issuer, tokenId: 'a', jti: 'a' }, /^jti/],
    ['an issuer that is no URL', { issuer: 'issuer.example', tokenId: 'a' }, /^issuer is not a URL/],
    ['an issuer with a space behind it', { issuer: `${issuer} `, tokenId: 'a' }, /^issuer is not a URL/],
    ['an issuer with a query', { issuer: `${issuer}?a`, tokenId: 'a' }, /^issuer must have no query/],
    ['an issuer of another scheme', { issuer: 'ftp://issuer.example', tokenId: 'a' }, /^issuer must be an https URL/],
  ])('refuses %s', async (_, selector, message) => {
    const keyring = createKeyring(memoryKeyStore())
    await expect(keyring.revokeTokens(selector as never)).rejects.toThrow(TypeError)
    await expect(keyring.revokeTokens(selector as never)).rejects.toThrow(message)
  })

  test('says so when a store of the application keeps neither revocations nor a trail', async () => {
    const { addTokenRevocation: _, tokenRevocations: __, readAudit: ___, ...store } = memoryKeyStore()
    const keyring = createKeyring(store)
    await expect(keyring.revokeTokens({ issuer, tokenId: 'a' })).rejects.toThrow(KeyStoreError)
    await expect(keyring.tokenRevocations()).rejects.toThrow(KeyStoreError)
    await expect(keyring.audit()).rejects.toThrow(KeyStoreError)
  })
})

describe('audit', () => {
  test('gives each entry once over its pages', async () => {
    const keyring = createKeyring(memoryKeyStore())
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await keyring.create({ subject: 's', scopes: ['jobs:read'] })).record.id)
    const seen: unknown[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await keyring.audit({ limit: 2, cursor })
      seen.push(...page.entries.map(({ keyId }) => keyId))
      cursor = page.cursor
    }
    expect(seen).toEqual(ids.reverse())
  })

  test.each([{ cursor: 'x' }, { cursor: '0' }, { limit: 0 }, { id: 'a key' }, { actor: 'ann' }])(
    'refuses %j',
    async (options) => {
      await expect(createKeyring(memoryKeyStore()).audit(options as never)).rejects.toThrow(TypeError)
    },
  )
})

test('a superseded key that is in use is told to whoever observes the store, with its successor', async () => {
  const store = memoryKeyStore()
  const keyring = createKeyring(store)
  const { key, record } = await keyring.create({ subject: 's', scopes: ['jobs:read'] })
  const by = createVerifier({ issuer: false, keys: store })
  const events: { event: string }[] = []
  const note = (message: unknown) => events.push(message as (typeof events)[number])
  subscribe('vantage-auth:store', note)
  try {
    const use = async () => (await by.authenticate({ authorization: `Bearer ${key}` })).kind
    await use()
    const { record: successor } = await keyring.rotate(record.id)
    for (let i = 0; i < 3; i++) expect(await use()).toBe('api_key')
    expect(events.filter(({ event }) => event === 'superseded_key_in_use')).toEqual([
      { event: 'superseded_key_in_use', keyId: record.id, successorId: successor.id },
    ])
  } finally {
    unsubscribe('vantage-auth:store', note)
    await by.close()
  }
})
