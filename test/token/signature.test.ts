import { createPublicKey, type JsonWebKey, sign } from 'node:crypto'
import { compactVerify, type JWTPayload } from 'jose'
import { describe, expect, test } from 'vitest'
import { createKeyring } from '../../src/keyring/keyring.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { verifySignature } from '../../src/token/signature.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcomeOf } from '../support/outcome.js'
import {
  compact,
  createKeyPair,
  createTestIssuer,
  hmacSigner,
  pssSigner,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  signer,
} from '../support/tokens.js'
import { readVectors } from '../support/vectors.js'

const EC = ['ES256', 'ES384', 'ES512'] as const
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const PSS = { PS256: 32, PS384: 48, PS512: 64 } as const
/** Order of the group of each curve. */
const ORDERS = {
  ES256: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  ES384: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  ES512:
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
} as const

const issuers = Object.fromEntries(SIGNING_ALGORITHMS.map((alg) => [alg, createTestIssuer({ alg, kid: 'one' })]))
const issuerOf = (alg: SigningAlgorithm) => issuers[alg] as (typeof issuers)[string]

/** Splits a token into what is signed and the signature. */
function split(token: string): { input: string; signature: Buffer } {
  const end = token.lastIndexOf('.')
  return { input: token.slice(0, end), signature: Buffer.from(token.slice(end + 1), 'base64url') }
}

function withSignature(token: string, signature: Uint8Array): string {
  return `${split(token).input}.${Buffer.from(signature).toString('base64url')}`
}

describe('the examples of the specifications', () => {
  test.each(readVectors<{ source: string; alg: string; jwk: JsonWebKey; token: string }>('signatures'))(
    '$source ($alg) verifies, and no longer after any change of a byte',
    async ({ alg, jwk, token }) => {
      const key = createPublicKey({ key: jwk, format: 'jwk' })
      expect(await verifySignature(alg, key, token)).toBe(true)

      const { input, signature } = split(token)
      for (const [index, byte] of signature.entries()) {
        const changed = Buffer.from(signature)
        changed[index] = byte ^ 1
        expect(await verifySignature(alg, key, withSignature(token, changed))).toBe(false)
      }
      expect(await verifySignature(alg, key, token.replace(input, `${input.slice(0, -1)}A`))).toBe(false)
    },
  )
})

describe.each(SIGNING_ALGORITHMS)('%s', (alg) => {
  const { mint, publicKey, privateKey } = issuerOf(alg)

  test('verifies what its key signed, and nothing else', async () => {
    const token = mint()
    expect(await verifySignature(alg, publicKey, token)).toBe(true)
    expect(await verifySignature(alg, publicKey, withSignature(token, split(mint()).signature))).toBe(false)
    expect(await verifySignature(alg, createKeyPair(alg).publicKey, token)).toBe(false)
  })

  test('agrees with jose on its own signatures', async () => {
    expect((await compactVerify(mint(), publicKey)).protectedHeader.alg).toBe(alg)
  })

  test('refuses signatures that are too short, too long, empty or of one byte throughout', async () => {
    const token = mint()
    const { signature } = split(token)
    const { length } = signature
    const wrong = [
      Buffer.alloc(0),
      signature.subarray(0, -1),
      signature.subarray(1),
      signature.subarray(0, length / 2),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), signature]),
      Buffer.concat([signature, signature]),
      Buffer.alloc(length, 0),
      Buffer.alloc(length, 1),
      Buffer.alloc(length, 0xff),
    ]
    for (const bytes of wrong) expect(await verifySignature(alg, publicKey, withSignature(token, bytes))).toBe(false)
  })

  test('does not verify under the name of another algorithm', async () => {
    for (const other of SIGNING_ALGORITHMS.filter((name) => !sameMethod(name, alg))) {
      const token = compact({ alg: other }, 'payload', signer(alg, privateKey))
      // That the key fits is checked before; where it does not, jose rejects.
      const verified = Promise.resolve().then(() => verifySignature(other, publicKey, token))
      expect(await verified.catch((error: Error) => error.message)).not.toBe(true)
      if (sameKeyType(other, alg)) expect(await verified).toBe(false)
    }
  })

  function sameKeyType(a: string, b: string): boolean {
    return /^[RP]S/.test(a) && /^[RP]S/.test(b)
  }

  function sameMethod(a: string, b: string): boolean {
    return a === b || (a.startsWith('Ed') && b.startsWith('Ed'))
  }
})

describe.each(EC)('%s', (alg) => {
  const { mint, publicKey, privateKey } = issuerOf(alg)
  const bytes = ORDERS[alg].length / 2
  const order = Buffer.from(ORDERS[alg], 'hex')
  const zero = Buffer.alloc(bytes)
  const one = Buffer.alloc(bytes)
  one[bytes - 1] = 1

  test('refuses the DER encoding, which other libraries write', async () => {
    const der = compact({ alg }, 'payload', (input) => sign(`sha${alg.slice(2)}`, input, privateKey))
    expect(split(der).signature[0]).toBe(0x30)
    expect(await verifySignature(alg, publicKey, der)).toBe(false)
  })

  test('has a second signature, with n - s for s: both are accepted, and a revocation refuses both', async () => {
    const issuer = issuerOf(alg)
    const twin = (token: string) => {
      const { signature } = split(token)
      const half = signature.length / 2
      const s = BigInt(`0x${ORDERS[alg]}`) - BigInt(`0x${signature.subarray(half).toString('hex')}`)
      const other = Buffer.from(s.toString(16).padStart(2 * half, '0'), 'hex')
      return withSignature(token, Buffer.concat([signature.subarray(0, half), other]))
    }
    const selectors = [
      (claims: JWTPayload) => ({ tokenId: claims.jti as string }),
      (claims: JWTPayload) => ({ subject: claims.sub as string, issuedBefore: new Date(Date.now() + 60_000) }),
      (claims: JWTPayload) => ({ clientId: claims.client_id as string, issuedBefore: new Date(Date.now() + 60_000) }),
    ]
    for (const [index, selectorOf] of selectors.entries()) {
      const store = memoryKeyStore()
      const verifier = createVerifier({ ...issuer.options, keys: store })
      const token = issuer.mint({ sub: `user ${index}`, client_id: `app ${index}` })
      const [first, second] = [token, twin(token)]
      expect(second).not.toBe(first)
      const auth = await verifier.authenticate({ authorization: `Bearer ${first}` })
      if (auth.kind !== 'access_token') throw new Error('the token was taken for a key')
      expect(await outcomeOf(verifier, second)).toBe('accepted')
      await createKeyring(store).revokeTokens({ issuer: issuer.issuer, ...selectorOf(auth.claims) })
      expect(await outcomeOf(verifier, first)).toBe('revoked')
      expect(await outcomeOf(verifier, second)).toBe('revoked')
      await verifier.close()
    }
  })

  test('refuses r and s of zero, of one and of the order of the curve (RFC 8725 §3.4)', async () => {
    for (const r of [zero, one, order]) {
      for (const s of [zero, one, order]) {
        expect(await verifySignature(alg, publicKey, withSignature(mint(), Buffer.concat([r, s])))).toBe(false)
      }
    }
  })

  test('refuses a good r beside an s of zero or more than the order', async () => {
    const token = mint()
    const { signature } = split(token)
    const r = signature.subarray(0, bytes)
    const s = BigInt(`0x${signature.subarray(bytes).toString('hex')}`)
    const beyond = (s + BigInt(`0x${ORDERS[alg]}`)).toString(16).padStart(bytes * 2, '0')
    const wrong = [zero, order, ...(beyond.length === bytes * 2 ? [Buffer.from(beyond, 'hex')] : [])]
    for (const value of wrong) {
      expect(await verifySignature(alg, publicKey, withSignature(token, Buffer.concat([r, value])))).toBe(false)
    }
  })
})

describe.each(RSA)('%s', (alg) => {
  const { mint, publicKey } = issuerOf(alg)

  test('refuses a signature without its leading zeros (RFC 8017 §8.1.2, §8.2.2)', async () => {
    let token = mint()
    for (let tries = 0; split(token).signature[0] !== 0; tries++) {
      expect(tries).toBeLessThan(20_000)
      token = mint()
    }
    expect(await verifySignature(alg, publicKey, token)).toBe(true)
    expect(await verifySignature(alg, publicKey, withSignature(token, split(token).signature.subarray(1)))).toBe(false)
  })

  test('refuses a signature that is not below the modulus', async () => {
    const token = mint()
    const n = BigInt(`0x${Buffer.from(publicKey.export({ format: 'jwk' }).n as string, 'base64url').toString('hex')}`)
    const beyond = (BigInt(`0x${split(token).signature.toString('hex')}`) + n).toString(16)
    const padded = Buffer.from(beyond.padStart(beyond.length + (beyond.length % 2), '0'), 'hex')
    expect(await verifySignature(alg, publicKey, withSignature(token, padded))).toBe(false)
    expect(await verifySignature(alg, publicKey, withSignature(token, Buffer.from(n.toString(16), 'hex')))).toBe(false)
  })

  test('refuses the HMAC that takes the key for a secret', async () => {
    const secret = publicKey.export({ type: 'spki', format: 'pem' }) as string
    const token = compact({ alg }, 'payload', hmacSigner('HS256', secret))
    expect(await verifySignature(alg, publicKey, token)).toBe(false)
  })
})

describe.each(Object.entries(PSS))('%s', (alg, right) => {
  const { publicKey, privateKey } = issuerOf(alg as keyof typeof PSS)

  test.each([0, 1, 20, 32, 48, 64, right - 1, right + 1, 100])('with a salt of %d bytes', async (saltLength) => {
    const token = compact({ alg }, 'payload', pssSigner(`sha${alg.slice(2)}`, saltLength, privateKey))
    expect(await verifySignature(alg, publicKey, token)).toBe(saltLength === right)
  })
})

describe.each(['EdDSA', 'Ed25519'] as const)('%s', (alg) => {
  const { mint, publicKey } = issuerOf(alg)

  test('refuses a scalar that is not below the order of the group (RFC 8032 §5.1.7)', async () => {
    const token = mint()
    const { signature } = split(token)
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const littleEndian = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
    const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`)
    const respelt = Buffer.concat([signature.subarray(0, 32), littleEndian(scalar + order)])
    expect(await verifySignature(alg, publicKey, withSignature(token, respelt))).toBe(false)
  })
})

test('verifies in place, except for the curves that would hold the event loop', () => {
  for (const alg of SIGNING_ALGORITHMS) {
    const slow = alg === 'ES384' || alg === 'ES512'
    expect(verifySignature(alg, issuerOf(alg).publicKey, issuerOf(alg).mint()) instanceof Promise).toBe(slow)
  }
})

test('verifies no algorithm that it does not know', async () => {
  const { publicKey, mint } = issuerOf('ES256')
  for (const alg of ['none', 'HS256', 'ES256K', '', '__proto__', 'toString']) {
    expect(await verifySignature(alg, publicKey, mint({}, { alg }))).toBe(false)
  }
})
