import type { Outcome, Subject } from './fault-subject.js'
import { FAULTS, type Fault, type IssuerProcess } from './issuer-server.js'
import { createTestIssuer, encode, type TestIssuer } from './tokens.js'

export const AUDIENCE = 'https://api.vantage.example'

/** What happened in one scenario. */
export interface Row {
  readonly fault: string
  /** Every status that occurred, with how often, in the order of its first occurrence. */
  readonly statuses: ReadonlyMap<number, number>
  /** Slowest answer. */
  readonly slowestMs: number
  /** Whether each 503 said when to come back. */
  readonly retryAfter: boolean
  /** Requests for the key set that reached the issuer; a refused connection does not. */
  readonly fetches: number
  /** From the end of the fault to the first 200, in real time. */
  readonly recoveryMs?: number | undefined
  /** Minutes of the service's clock until what the scenario waits for. */
  readonly minutes?: number | undefined
  /** Growth of the live heap. */
  readonly heapBytes?: number
  /** Answers to good tokens meanwhile. */
  readonly good?: ReadonlyMap<number, number>
}

export interface Scenarios {
  readonly issuer: IssuerProcess
  /** A service that has seen nothing yet. */
  start(): Promise<Subject>
  /** Tokens with random kids in the flood. */
  readonly flood: number
  /** Longest wait for a recovery. */
  readonly patienceMs: number
}

const MINUTE = 60_000

/** Names of all scenarios, in order. */
export const SCENARIOS: readonly string[] = [
  ...FAULTS.map((fault) => `at start: ${fault}`),
  ...FAULTS.map((fault) => `when the keys are due: ${fault}`),
  '1 000 first requests at once',
  'random kids',
  'rotation',
  'rotation in the flood',
  'withdrawal',
  'outage of two hours',
]

export async function runScenario(name: string, scenarios: Scenarios): Promise<Row> {
  const { issuer, start, flood, patienceMs } = scenarios
  const [old, next] = [signer(issuer, 'old'), signer(issuer, 'new')]
  await issuer.order({ fault: null, keys: old.jwks.keys, recount: true })
  const subject = await start()
  const outcomes: Outcome[] = []
  const ask = async (token: string, patienceMs?: number): Promise<Outcome> => {
    const outcome = await subject.ask(token, patienceMs)
    outcomes.push(outcome)
    return outcome
  }
  const row = async (more: Partial<Row> = {}): Promise<Row> => ({
    fault: name,
    statuses: tally(outcomes),
    slowestMs: Math.max(...outcomes.map((outcome) => outcome.ms)),
    retryAfter: outcomes.every(({ status, retryAfter }) => status !== 503 || Number(retryAfter) >= 1),
    fetches: (await issuer.counts()).jwks,
    ...more,
  })

  try {
    const fault = FAULTS.find((candidate) => name.endsWith(`: ${candidate}`))
    if (fault !== undefined) return await duringFault(fault, name.startsWith('at start'))
    switch (name) {
      case '1 000 first requests at once':
        // A slow machine needs its time for so many connections.
        await Promise.all(Array.from({ length: 1000 }, () => ask(old.mint(), 60_000)))
        return await row()
      case 'random kids':
        return await duringFlood(async () => undefined)
      case 'rotation':
        await ask(old.mint())
        await issuer.order({ keys: [...old.jwks.keys, ...next.jwks.keys] })
        return await row({ recoveryMs: await recovery(subject, () => next.mint(), patienceMs) })
      case 'rotation in the flood':
        return await duringFlood(async () => {
          await issuer.order({ keys: [...old.jwks.keys, ...next.jwks.keys] })
          return await recovery(subject, () => next.mint(), patienceMs)
        })
      case 'withdrawal':
        return await afterWithdrawal()
      case 'outage of two hours':
        return await duringOutage()
      default:
        throw new Error(`there is no scenario ${name}`)
    }
  } finally {
    await issuer.order({ fault: null, delayMs: 0 })
  }

  async function duringFault(fault: Fault, atStart: boolean): Promise<Row> {
    if (!atStart) {
      await subject.ask(old.mint())
      await subject.advance(11 * MINUTE)
    }
    // Metadata is due less often than keys.
    if (!atStart && fault === 'wrong issuer') await subject.advance(50 * MINUTE)
    await issuer.order({ fault, at: fault === 'wrong issuer' ? 'metadata' : 'jwks', recount: true })
    await Promise.all(Array.from({ length: 5 }, () => ask(old.mint())))
    await ask(old.mint())
    const done = await row()
    const renewed = [...old.jwks.keys, ...next.jwks.keys]
    await issuer.order({ fault: null, keys: renewed })
    return { ...done, recoveryMs: await recovery(subject, () => next.mint(), patienceMs) }
  }

  async function duringFlood(meanwhile: () => Promise<number | undefined>): Promise<Row> {
    const good = old.mint()
    await subject.ask(good)
    const forged = forgery(old)
    await Promise.all(Array.from({ length: 200 }, () => subject.ask(forged())))
    const before = await subject.heap()
    await issuer.order({ recount: true })
    const begunAt = performance.now()
    const goodOutcomes: Outcome[] = []
    let left = flood
    let over = false
    const flooding = Promise.all(
      Array.from({ length: 200 }, async () => {
        while (left-- > 0) await ask(forged())
      }),
    ).then(() => {
      over = true
    })
    const user = (async () => {
      while (!over) {
        goodOutcomes.push(await subject.ask(good))
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })()
    const recoveryMs = await meanwhile()
    await Promise.all([flooding, user])
    const result = await row({ recoveryMs, good: tally(goodOutcomes), minutes: (performance.now() - begunAt) / MINUTE })
    return { ...result, heapBytes: (await subject.heap()) - before }
  }

  /** A key leaves the key set, as one that was stolen does: how long does a token that was accepted before live on? */
  async function afterWithdrawal(): Promise<Row> {
    const [stolen, good] = [old.mint(), next.mint()]
    await issuer.order({ keys: [...old.jwks.keys, ...next.jwks.keys] })
    await subject.ask(stolen)
    await subject.ask(good)
    await issuer.order({ keys: next.jwks.keys, recount: true })
    let minutes = 0
    while (minutes < 12 * 60) {
      const { status } = await ask(stolen)
      if (status !== 200) break
      minutes++
      await subject.advance(MINUTE)
      // What runs in the background gets its time.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return await row({ minutes: minutes < 12 * 60 ? minutes : undefined, good: tally([await subject.ask(good)]) })
  }

  /** Nothing listens any more: for how many minutes do tokens go on, and what is the answer after that? */
  async function duringOutage(): Promise<Row> {
    await subject.ask(old.mint())
    await issuer.order({ fault: 'refuses', recount: true })
    let minutes: number | undefined
    for (let minute = 0; minute < 120; minute++) {
      const { status } = await ask(old.mint())
      if (status !== 200) minutes ??= minute
      await subject.advance(MINUTE)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const done = await row({ minutes })
    await issuer.order({ fault: null })
    return { ...done, recoveryMs: await recovery(subject, () => old.mint(), patienceMs) }
  }
}

/** A client that tries every 50 ms. */
async function recovery(subject: Subject, mint: () => string, patienceMs: number): Promise<number | undefined> {
  const begunAt = performance.now()
  while (performance.now() - begunAt < patienceMs) {
    if ((await subject.ask(mint())).status === 200) return performance.now() - begunAt
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return undefined
}

/** Living for 100 days: the clocks of the subjects are moved. */
export function signer(issuer: IssuerProcess, kid: string): TestIssuer {
  const made = createTestIssuer({ issuer: issuer.url, audience: AUDIENCE, alg: 'RS256', kid })
  return {
    ...made,
    mint: (claims, header) => made.mint({ exp: Math.floor(Date.now() / 1000) + 8_640_000, ...claims }, header),
  }
}

/** Tokens with a kid that nobody has, and a signature that nobody made. */
export function forgery(issuer: TestIssuer): () => string {
  const payload = encode(issuer.claims({ exp: Math.floor(Date.now() / 1000) + 8_640_000 }))
  const signature = encode(Buffer.alloc(256, 1))
  let serial = 0
  return () => `${encode(issuer.header({ kid: `nobody-${serial++}-${Math.random()}` }))}.${payload}.${signature}`
}

function tally(outcomes: readonly Outcome[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (const { status } of outcomes) counts.set(status, (counts.get(status) ?? 0) + 1)
  return counts
}

/** One line of a table of results. */
export function formatRow(row: Row): string[] {
  const statuses = (counts: ReadonlyMap<number, number>) =>
    [...counts].map(([status, times]) => `${status === 0 ? 'none' : status}${times > 1 ? ` x${times}` : ''}`).join(', ')
  const notes = [
    row.recoveryMs !== undefined && `back after ${(row.recoveryMs / 1000).toFixed(1)} s`,
    row.good && `good tokens ${statuses(row.good)}`,
    row.heapBytes !== undefined && `heap ${(row.heapBytes / 2 ** 20).toFixed(1)} MiB`,
  ].filter((note) => typeof note === 'string')
  return [
    row.fault,
    statuses(row.statuses),
    `${(row.slowestMs / 1000).toFixed(1)} s`,
    `${row.fetches}`,
    notes.join('; '),
  ]
}
