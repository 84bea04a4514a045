import type { KeyStore } from './built-package.js'
import type { startIssuer } from './credentials.js'

/** Figures of one contender: the median of its rounds, and each round. */
export interface Figure {
  typical: number
  rounds: number[]
}

/** By the name of the contender. */
export type Figures = Record<string, Figure>

export type Issuer = Awaited<ReturnType<typeof startIssuer>>

/** Decides on one credential: returns or resolves when it is good, throws or rejects when it is not. */
// biome-ignore lint/suspicious/noExplicitAny: each contender answers in its own way, and nobody looks at the answer
export type Decide = (credential: string) => any

/** What a contender decides on. */
export interface Material {
  issuer: Issuer
  alg: Algorithm
  tokens: Buffer[]
  keys: Buffer[]
  store?: KeyStore
  /** What its `ownKeys` made. */
  // biome-ignore lint/suspicious/noExplicitAny: only the contender that made it reads it
  own?: any
}

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA'
export type Accepts = 'token' | 'key'

/** Who is measured in process. */
export interface Contender {
  name: string
  /** `key` where it has a key format or a store of its own. */
  accepts: Accepts
  /** `header` is the whole Authorization line; with `credential`, finding it in there is left to the caller. */
  takes: 'header' | 'credential'
  /** All of them, unless it says otherwise. */
  algorithms?: Algorithm[]
  /** Keys in its own format, where it has one. */
  ownKeys?(count: number): Promise<{ keys: Buffer[] } & Record<string, unknown>>
  decide(material: Material): Decide | Promise<Decide>
}

/** A contender in its turn: one timed round. */
export interface Turn {
  name: string
  time(): Promise<number>
}

/** Where and when a result was taken. */
export interface Circumstances {
  version: string
  commit: string
  date: string
  node: string
  machine: string
}

/** Decisions by title, such as `cached token`. */
export type DecisionResults = Record<string, Figures>

export interface HttpLine {
  perSecond: Figure
  share: number
  refusing?: Figure
  refusingShare?: number
  p50?: number
  p99?: Figure
  p99Ratio?: number
}

/** By framework, then by the name of the contender. */
export type HttpResults = Record<string, Record<string, HttpLine>>

/** Microseconds of a request in the hooks of Fastify, and of them in the hash, by the name of the contender. */
export type HookResults = Record<string, Figure & { hash: Figure }>

export interface GrowthResults {
  /** By number of entries. */
  entries: Record<Accepts, Record<string, { microseconds: number; ratio: number; bytes: number }>>
  keySet: { one: number; thousand: number; ratio: number; coldFirstUseMs: number; firstUseMs: number }
  imports: Figures
  /** Microseconds of a new token: of the first 1 000 of a process, and of its later ones. A round is a process. */
  firstTokens?: { first: Figure; later: Figure }
}

/** A key never seen before, by key store: microseconds. */
export type LookUpResults = Record<string, Figures>

/** By algorithm, state of the second core, load and way to verify. Microseconds. */
export type LatencyResults = Record<
  string,
  Record<string, Record<string, Record<string, { p50: number; p99: number }>>>
>

export interface Spread {
  n: number
  p50: number
  p99: number
  max: number
}

export interface RevocationResult {
  acceptedAfterCommit: Spread
  untilAllRefuse: Spread
  untilAllRefuseFromCall: Spread
  processorsBusy: number
  acceptedAfterRefusal: number
  /** Where several were under way at a time: revocations a second. */
  perSecond?: number
  /** Where a revocation was to be confirmed: when it was, from the commit. */
  untilConfirmed?: Spread
  /** Services that accepted a key after all were said to refuse it. */
  acceptedAfterConfirmation?: number
}

export interface FleetResults {
  revocation?: Record<string, RevocationResult>
  /** By number of keys in the store. */
  keys?: Record<string, { startMs: number; coldMicroseconds: Spread; cachedMicroseconds: number; memoryMiB: number }>
  usage?: {
    perSecond: number
    seconds: number
    used: number
    counted: number
    rowsWrittenPerSecond: number
    missingAfterKill: number
    oneFlush: number
    flushFailures?: number
  }
  writes?: {
    operations: number
    perSecond: number
    handWritten: number
    failures?: Record<string, number>
    duplicateIds: number
    revocationsLost: number
    deadlocks: number
    changes?: number
    keysNotTold: number
    truncateTold: boolean
    outOfOrder: number
  }
}

/** Ends of sessions at the issuer, by key store. Times in milliseconds, from the answer of the receiver. */
export type LogoutResults = Record<
  string,
  {
    /** When the last service refused the token. */
    untilAllRefuse: Spread
    /** When a service accepted the token for the last time. */
    acceptedAfterAnswer: Spread
    /** From the request to end the session. */
    untilAllRefuseFromCall: Spread
    acceptedAfterRefusal: number
  }
>

/** Every result that is kept in `bench/results`, by its name there. */
export interface Results {
  decisions: DecisionResults
  latency: LatencyResults
  http: HttpResults
  hooks: HookResults
  growth: GrowthResults
  lookup: LookUpResults
  fleet: FleetResults
  logout: LogoutResults
}
