import type { Configuration } from '../../config/options.js'
import { answerWithin } from '../../core/deadline.js'
import type { KeyStore, StoredTokenRevocation } from '../../store/contract.js'
import { type Examination, ok, warning } from './examination.js'

/** A mistake is most often in one issuer; a store that serves many services names many. */
const MOST_SHOWN = 10

/**
 * What would make revocations of tokens look like a success that they are not: they name an issuer that no service here has,
 * or sessions, which not every issuer writes into its access tokens. Where nothing is to be said, or the list cannot be
 * read, which other checks tell of, it is silent.
 */
export async function examineRevocations(
  store: KeyStore,
  { issuers, resolver, clock }: Configuration,
  timeoutMs: number,
): Promise<Examination[]> {
  if (store.tokenRevocations === undefined || (issuers.length === 0 && resolver === undefined)) return []
  let revocations: readonly StoredTokenRevocation[]
  try {
    revocations = await answerWithin(timeoutMs, 'the store', store.tokenRevocations(clock()))
  } catch {
    return []
  }
  const configured = new Set(issuers.map(({ issuer }) => issuer))
  const named = [...new Set(revocations.map(({ issuer }) => issuer))]
  // Whoever asks the application for issuers may accept any: which ones is not known here.
  const accepts = (issuer: string) => resolver !== undefined || configured.has(issuer)
  const strangers = named.filter((issuer) => !accepts(issuer))
  const withSessions = new Set(revocations.filter(({ sessionId }) => sessionId !== null).map(({ issuer }) => issuer))
  return [
    ...strangers.slice(0, MOST_SHOWN).map((issuer) => {
      const near = issuers.find((policy) => withoutSlash(policy.issuer) === withoutSlash(issuer))?.issuer
      return warning(
        'revocations',
        issuer,
        near === undefined
          ? 'tokens of this issuer are revoked, and the service does not accept it'
          : `tokens of this issuer are revoked, and the service accepts ${near}: they are compared character for character`,
        'nothing is to be done where another service on this store accepts it; else revoke again, for the iss that the tokens have',
      )
    }),
    ...[...withSessions]
      .filter(accepts)
      .slice(0, MOST_SHOWN)
      .map((issuer) =>
        ok(
          'revocations',
          issuer,
          'sessions are revoked, which ends only tokens that say their session: vantage-auth explain < token.txt shows whether one does',
        ),
      ),
  ]
}

function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '')
}
