import { onTestFinished } from 'vitest'
import type { IssuerOptions, VerifierOptions } from '../../src/config/options.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { createTestIssuer, type TestIssuer } from './tokens.js'

export const A = 'https://a.example/tenant'
export const START = Date.parse('2026-11-30T12:00:00Z')

type Resolve = NonNullable<VerifierOptions['resolveIssuer']>

/** A verifier whose application tells of issuers, and how its decisions end: `accepted`, the reason, or the cause of a 503. */
export function setUp(resolveIssuer: (iss: string) => unknown, options: VerifierOptions = {}) {
  const clock = { now: START }
  const asked: string[] = []
  const verifier = createVerifier({
    issuer: false,
    keys: false,
    outageNotices: false,
    clock: () => clock.now,
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    resolveIssuer: ((iss) => {
      asked.push(iss)
      return resolveIssuer(iss)
    }) as Resolve,
    ...options,
  })
  onTestFinished(() => verifier.close())
  const outcome = async (token: string): Promise<string> => {
    try {
      await verifier.authenticate({ authorization: `Bearer ${token}` })
      return 'accepted'
    } catch (error) {
      const { status, reason, cause } = error as { status: number; reason: string; cause?: Error }
      return status === 503 ? `503 ${cause?.message}` : `${status} ${reason}`
    }
  }
  const issuerOf = (issuer = A) => createTestIssuer({ issuer, clock: () => clock.now })
  return { verifier, clock, asked, outcome, issuerOf }
}

export const entryOf = ({ issuer, jwks }: TestIssuer, more: Partial<IssuerOptions> = {}): IssuerOptions => ({
  issuer,
  jwks,
  ...more,
})
