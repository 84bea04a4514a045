import type { JSONWebKeySet } from 'jose'
import type { Duration } from '../core/duration.js'
import type { Answer } from '../http/answers.js'
import type { Keyring } from '../keyring/contract.js'
import type { Algorithm } from '../token/algorithms.js'

/** What a revocation receiver takes, and from whom. */
export interface RevocationReceiverOptions {
  /**
   * Where revocations are written: what `createKeyring()` returns. It stays its owner's to close. Its role of PostgreSQL
   * needs more than that of a service: `vantage-auth keys grants` prints it.
   */
  keyring: Keyring
  /** The providers that are listened to, one entry at least, and one for each `issuer`. */
  issuers: readonly RevocationSender[]
  /** Protection space in the challenges to Global Token Revocation. See {@link VerifierOptions.realm}. Default: `'vantage'`. */
  realm?: string | undefined
  /** Allowed difference of clocks, in seconds, 0 to 300. Default: 5. */
  clockToleranceSeconds?: number | undefined
  /** Limit for each fetch of keys and for each write, in milliseconds, 1 to 60 000. Default: 3000. */
  timeoutMs?: number | undefined
  /** See {@link VerifierOptions.outageNotices}. It includes logout tokens that could not be written. */
  outageNotices?: boolean | undefined
  /** Milliseconds since the epoch; for tests. Default: `Date.now`. */
  clock?: (() => number) | undefined
}

/** A provider whose logout tokens, security events and revocation requests are taken. */
export interface RevocationSender {
  /** What the `iss` claim of its tokens must equal, character for character. See {@link IssuerOptions.issuer}. */
  issuer: string
  /**
   * One of them must be in the `aud` claim: the client id that is registered for back-channel logout, the audience of the
   * event stream, the URL that Universal Logout calls. A token for another receiver is refused.
   */
  audience: string | readonly string[]
  /** See {@link IssuerOptions.jwksUri}. */
  jwksUri?: string | undefined
  /** See {@link IssuerOptions.jwks}. */
  jwks?: JSONWebKeySet | undefined
  /** Used for this provider's metadata and keys alone. Default: the global fetch. */
  fetch?: typeof globalThis.fetch | undefined
  /** Accepted signature algorithms. Default: all of {@link ALGORITHMS}. */
  algorithms?: readonly Algorithm[] | undefined
  /** See {@link IssuerOptions.allowInsecureHttp}. */
  allowInsecureHttp?: boolean | undefined
  /**
   * Other issuers whose subjects this provider may name, as the access tokens of those subjects write them. Without it a
   * provider speaks for its own subjects alone: else each could log out everybody.
   */
  subjectIssuers?: string | readonly string[] | undefined
  /**
   * The issuers of the access tokens that name this provider's own subjects and sessions, 10 at most, as their `iss` claims
   * write them: what it sends then ends the tokens of each of them. Give them where the provider signs what it sends by another
   * name than its access tokens: the organisation and the authorization server of Okta. Default: `issuer` alone.
   */
  tokenIssuers?: string | readonly string[] | undefined
  /**
   * The whole value of the Authorization header that its event stream sends, 16 to 8192 printable characters. With it, a
   * SET push of this provider without it is refused; it is compared in constant time. Logout tokens and Global Token
   * Revocation are not asked for it.
   */
  authorization?: string | undefined
  /**
   * How long its access tokens live at most: a revocation ends after it. Too short a time lets a revoked token in again.
   * Default: `'30d'`, the longest life that a vendor permits.
   */
  tokenLife?: Duration | undefined
}

/** What a front hands over of a request. */
export interface ReceivedRequest {
  readonly method: string
  /** Whether the query of the URL has a token. A query of another kind is none of our business: addresses may have one. */
  readonly query: boolean
  readonly headers: {
    readonly contentType?: string | undefined
    /** All lines of the header. */
    readonly authorization: string | readonly string[] | undefined
  }
  /** The body as it came, of at most `MAX_BODY_BYTES` (http/body.ts). */
  readonly body: Buffer | 'too large'
}

/** Takes what providers send to end sessions and accounts, and revokes the access tokens that it names. */
export interface Receiver {
  /** It never rejects: what goes wrong is an answer. An answer to HEAD is to be sent without its body. */
  handle(request: ReceivedRequest): Promise<Answer>
  /**
   * Waits for what is under way, for at most `timeoutMs`, and stops fetching keys. Idempotent. Afterwards each request is
   * answered 503. It does not close the keyring.
   */
  close(): Promise<void>
}
