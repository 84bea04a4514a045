import { mkdirSync, mkdtempSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { VerifierOptions } from '../../src/config/options.js'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { useEmptyFolder } from '../support/options.js'
import { createDeferred, createTestKey } from '../support/stored-keys.js'
import { createTestIssuer } from '../support/tokens.js'

// A service that started where there was no vantage-auth.db.

const UNAVAILABLE = 'ERR_VANTAGE_UNAVAILABLE'
const folder = useEmptyFolder()
const issuer = createTestIssuer()
const opened: (Verifier | Keyring)[] = []

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  vi.restoreAllMocks()
})

function start(options: VerifierOptions = {}): Verifier {
  const verifier = createVerifier({ ...issuer.options, ...options })
  opened.push(verifier)
  return verifier
}

function makeStore(): Keyring {
  const keyring = createKeyring(`sqlite:${folder.path}/vantage-auth.db`)
  opened.push(keyring)
  return keyring
}

function outcome(verifier: Verifier, credential: string): Promise<unknown> {
  const decide = async () => verifier.authenticate({ authorization: `Bearer ${credential}` })
  return decide().then(
    () => 'accepted',
    (error) => (error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? error.reason : error.code),
  )
}

/** Lets the second pass in which the file is not looked for again. */
function passASecond(): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 1000)
}

test('names folder and command in the cause of a 503, and makes no file', async () => {
  const verifier = start()
  const error = await Promise.resolve(
    (async () => verifier.authenticate({ authorization: `Bearer ${createTestKey().key}` }))(),
  ).catch((cause: unknown) => cause)
  expect(error).toMatchObject({
    code: UNAVAILABLE,
    cause: {
      message: `there is no vantage-auth.db in ${folder.path}; make it there with: npx vantage-auth keys create --subject user_123 --scopes jobs:read`,
    },
  })
  expect(await outcome(verifier, 'vak_live_x')).toBe('malformed')
  expect(await outcome(verifier, createTestKey({ environment: 'test' }).key)).toBe('environment')
  expect(await outcome(verifier, issuer.mint())).toBe('accepted')
  await verifier.ready()
  await verifier.close()
  expect(readdirSync(folder.path)).toEqual([])
})

test('serves keys once the file is there, though the working directory is another by then', async () => {
  const verifier = start()
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  expect(verifier.describe().keys).toBeNull()
  await verifier.ready()

  const { key } = await makeStore().create({ subject: 'u', scopes: ['jobs:read'] })
  process.chdir(mkdtempSync(join(realpathSync(tmpdir()), 'vantage-auth-')))
  passASecond()
  expect(await outcome(verifier, key)).toBe('accepted')
  expect(await outcome(verifier, createTestKey().key)).toBe('unknown')
  expect(verifier.describe().keys).toMatchObject({ store: expect.stringContaining('sqlite:'), environment: 'live' })
  await verifier.ready()
})

test('refuses a token that was accepted before, from its cache too, once the store revokes it', async () => {
  const verifier = start()
  const token = issuer.mint({ jti: 'stolen' })
  expect(await outcome(verifier, token)).toBe('accepted')
  expect(await outcome(verifier, token)).toBe('accepted')
  await makeStore().revokeTokens({ issuer: issuer.issuer, tokenId: 'stolen' })
  passASecond()
  expect(await outcome(verifier, token)).toBe('revoked')
  expect(await outcome(verifier, issuer.mint({ jti: 'other' }))).toBe('accepted')
})

test('asks a store that came while isRevoked took time to answer', async () => {
  const answer = createDeferred<boolean>()
  const verifier = start({ isRevoked: () => answer.promise })
  const decision = outcome(verifier, issuer.mint({ jti: 'stolen' }))
  await makeStore().revokeTokens({ issuer: issuer.issuer, tokenId: 'stolen' })
  passASecond()
  answer.resolve(false)
  expect(await decision).toBe('revoked')
})

test('answers 503, tokens too, while the file is there and not ready yet', async () => {
  const verifier = start()
  const token = issuer.mint()
  expect(await outcome(verifier, token)).toBe('accepted')
  writeFileSync('vantage-auth.db', '')
  passASecond()
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  expect(await outcome(verifier, token)).toBe(UNAVAILABLE)
  expect(readdirSync(folder.path)).toEqual(['vantage-auth.db'])
  vi.restoreAllMocks()

  const { key } = await makeStore().create({ subject: 'u', scopes: ['jobs:read'] })
  await expect.poll(() => outcome(verifier, key), { timeout: 10_000 }).toBe('accepted')
  await expect.poll(() => outcome(verifier, token), { timeout: 10_000 }).toBe('accepted')
})

test.each([
  ['a folder', () => void mkdirSync('vantage-auth.db')],
  ['a file that is no database', () => writeFileSync('vantage-auth.db', 'no database '.repeat(100))],
  ['a link to a folder', () => symlinkSync(folder.path, 'vantage-auth.db')],
])('answers 503 where %s has taken the name', async (_, take) => {
  const verifier = start()
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  take()
  passASecond()
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  expect(await outcome(verifier, issuer.mint())).toBe(UNAVAILABLE)
})

test('takes a link that leads nowhere for an absent file', async () => {
  const verifier = start()
  symlinkSync(join(folder.path, 'nowhere'), 'vantage-auth.db')
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  expect(await outcome(verifier, issuer.mint())).toBe('accepted')
  expect(readdirSync(folder.path)).toEqual(['vantage-auth.db'])
})

test('stays ready when the file that comes later cannot be read', async () => {
  const verifier = start()
  await verifier.ready()
  writeFileSync('vantage-auth.db', '')
  passASecond()
  expect(await outcome(verifier, createTestKey().key)).toBe(UNAVAILABLE)
  await verifier.ready()

  const later = start()
  await expect(later.ready()).rejects.toThrow(/key store/)
})

test('opens nothing after it was closed', async () => {
  const verifier = start()
  const { key } = await makeStore().create({ subject: 'u', scopes: ['jobs:read'] })
  await verifier.close()
  expect(await outcome(verifier, key)).toBe(UNAVAILABLE)
  expect(verifier.describe().keys).toBeNull()
})

test('is no other store: neither a configured one nor a variable is waited for', () => {
  expect(() => createVerifier({ ...issuer.options, keys: 'sqlite:vantage-auth.db' })).toThrow(/not there/)
})
