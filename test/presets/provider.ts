import type { IssuerOptions } from '../../src/config/issuer-options.js'
import type { VerifierOptions } from '../../src/config/options.js'
import type { AccessTokenAuth, Auth } from '../../src/core/auth.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { createTestIssuer, type SigningAlgorithm } from '../support/tokens.js'
import { type Preset, readPage } from './page.js'

export type Claims = Readonly<Record<string, unknown>>

/** Where a vendor serves what, by its real URLs. Everything else answers 404. */
export interface Place {
  readonly issuer: string
  readonly metadata: string
  readonly jwksUri: string
}

/** What a handler would see of an accepted token, or the reason of the refusal. */
export type Outcome = string | Seen

export interface Seen {
  readonly issuer: string
  readonly subject: string
  readonly clientId: string | null
  readonly tenant: string | null
  readonly scopes: readonly string[]
  readonly sessionId: string | null
  readonly tokenId: string | null
}

/** A provider in this process: its keys at its own URLs, and tokens of its own shape. */
export interface Provider {
  readonly entry: IssuerOptions
  readonly token: Claims
  /** URLs that were asked for, each once. */
  readonly asked: ReadonlySet<string>
  sign(claims: Claims, header?: Claims): string
  outcome(credential: string): Promise<Outcome>
  close(): Promise<void>
}

/** One pair for all: making an RSA key takes a tenth of a second, and whose it is decides the URL it is served at. */
const KID = 'provider-1'

/**
 * @param places what the vendor serves; none where the preset has a `jwksUri`
 * @param over what stands behind the preset in the entry
 */
export function createProvider(
  preset: Preset,
  options: {
    readonly places: readonly Place[]
    readonly header?: Claims
    readonly use?: string
    readonly alg?: SigningAlgorithm
    readonly entry?: IssuerOptions
    readonly verifier?: VerifierOptions
  },
): Provider {
  const page = readPage(preset)
  const { places, header = {}, alg = 'RS256', entry = page.entry } = options
  const signer = createTestIssuer({ alg, kid: KID })
  const asked = new Set<string>()
  const jwks = { keys: signer.jwks.keys.map((key) => ({ ...key, alg: undefined, use: options.use ?? 'sig' })) }
  const fetch: typeof globalThis.fetch = async (input) => {
    const url = String(input instanceof Request ? input.url : input)
    asked.add(url)
    const place = places.find(({ metadata }) => metadata === url)
    if (place !== undefined) return Response.json({ issuer: place.issuer, jwks_uri: place.jwksUri })
    return places.some(({ jwksUri }) => jwksUri === url) ? Response.json(jwks) : new Response('no', { status: 404 })
  }
  const { iat } = page.token as { iat: number }
  const verifier = createVerifier({
    issuer: [entry],
    keys: false,
    fetch,
    clock: () => (iat + 60) * 1000,
    outageNotices: false,
    ...options.verifier,
  })
  return {
    entry,
    token: page.token,
    asked,
    sign: (claims, over = {}) =>
      signer.mintRaw({ header: { alg, kid: KID, ...header, ...over }, payload: { ...claims } }),
    outcome: (credential) => outcomeOf(verifier, credential),
    close: () => verifier.close(),
  }
}

async function outcomeOf(verifier: Verifier, credential: string): Promise<Outcome> {
  let auth: Auth
  try {
    auth = await verifier.authenticate({ authorization: `Bearer ${credential}` })
  } catch (error) {
    const { reason } = error as { reason?: string }
    if (reason === undefined) throw error
    return reason
  }
  const { issuer, subject, clientId, tenant, scopes, sessionId, tokenId } = auth as AccessTokenAuth
  return { issuer, subject, clientId, tenant, scopes, sessionId, tokenId }
}
