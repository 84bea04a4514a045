/** What one decision costs in process, beside the peers and the limits. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { contenders, limits, ourVerifier } from '../shared/contenders.js'
import { ALGORITHMS, createKeys, headersOf, startIssuer } from '../shared/credentials.js'
import { FAST_JWT, FAST_JWT_CACHED, LOOK_UP, OURS, OURS_UNCACHED, VERIFY } from '../shared/names.js'
import { interleave, timeInFlight, timeOneByOne } from '../shared/timing.js'

/** @import { Accepts, Contender, Decide, DecisionResults, Figures, Material, Turn } from '../shared/types.d.ts' */
/** @typedef {{ entry: Contender, decide: Decide }} Warm a contender whose code has been compiled */

/** Distinct credentials in rotation. */
const ROTATION = 1000
/** Repeated refusals: few, so that each is still remembered when its turn comes again. */
const REFUSED = 100
const IN_FLIGHT = 64
/** A new credential runs much code, which V8 compiles as it is used: each verifier takes new ones for this long before it counts. */
const WARM_UP_MS = 1000
const WARM_UP_CALLS = 100
/** Rounds before those that count. */
const WARM_UPS = 2
/** Contenders that a goal with a limit needs. */
const FOR_CHECK = [OURS, OURS_UNCACHED, FAST_JWT, FAST_JWT_CACHED]

/**
 * @param {{ rounds: number, turnMs: number, newTokens: number, warmUpTokens: number, peers: boolean }} effort `turnMs`:
 *   about how long a turn of one contender takes; `newTokens`: how many tokens one turn verifies; `peers`: all of them
 * @param {(title: string, figures: Figures) => void} tell
 */
export async function measureDecisions({ rounds, turnMs, newTokens, warmUpTokens, peers }, tell) {
  const issuer = await startIssuer()
  const { store, keys } = await createKeys(ROTATION)
  const field = [...limits, ...contenders].filter(
    (entry) => peers || FOR_CHECK.includes(entry.name) || limits.includes(entry),
  )
  /** @type {DecisionResults} */
  const results = {}
  /** @type {(title: string, turns: Turn[]) => Promise<void>} */
  const run = async (title, turns) => {
    results[title] = await interleave(turns, rounds, WARM_UPS)
    tell(title, results[title])
  }

  const tokens = issuer.tokens('RS256', ROTATION)
  /** @type {Material} */
  const material = { issuer, alg: 'RS256', tokens, keys, store }
  for (const accepts of /** @type {Accepts[]} */ (['token', 'key'])) {
    const entries = field.filter((entry) => entry.accepts === accepts && entry.name !== VERIFY)
    const turns = []
    // One after the other: made side by side, their entries would lie scattered among each other in memory.
    for (const entry of entries) turns.push(await seenBefore(entry, material, turnMs))
    await run(`cached ${accepts}`, turns)
  }
  // No peer looks a key up and remembers it.
  const lookUps = field.filter((entry) => entry.accepts === 'key' && (entry.name === OURS || limits.includes(entry)))
  const unseenKeys = await createKeys(warmUpTokens + newTokens * (rounds + WARM_UPS))
  const keyVerifiers = await warmedUp(lookUps, { ...material, ...unseenKeys }, unseenKeys.keys.slice(0, warmUpTokens))
  await run('new key', neverSeen(keyVerifiers, unseenKeys.keys.slice(warmUpTokens), newTokens, timeOneByOne))
  await run('refusing', await refusals(material, turnMs))

  for (const alg of ALGORITHMS) {
    const entries = field.filter(
      ({ accepts, name, algorithms }) => accepts === 'token' && name !== LOOK_UP && (algorithms ?? [alg]).includes(alg),
    )
    const verifiers = await warmedUp(entries, { ...material, alg }, issuer.tokens(alg, warmUpTokens))
    const unseen = () => issuer.tokens(alg, newTokens * (rounds + WARM_UPS))
    await run(`new ${alg} token`, neverSeen(verifiers, unseen(), newTokens, timeOneByOne))
    if (!peers) continue
    /** @type {typeof timeOneByOne} */
    const inFlight = (decide, originals, calls) => timeInFlight(decide, originals, calls, IN_FLIGHT)
    await run(`new ${alg} token, ${IN_FLIGHT} in flight`, neverSeen(verifiers, unseen(), newTokens, inFlight))
    const busy = spawn(process.execPath, ['-e', 'for (;;);'])
    await run(
      `new ${alg} token, ${IN_FLIGHT} in flight, second core busy`,
      neverSeen(verifiers, unseen(), newTokens, inFlight),
    )
    busy.kill('SIGKILL')
  }
  issuer.close()
  return results
}

/**
 * Each credential has been accepted before.
 *
 * @param {Contender} entry
 * @param {Material} material
 * @param {number} turnMs
 */
async function seenBefore(entry, material, turnMs) {
  const own = await entry.ownKeys?.(ROTATION)
  const credentials = own?.keys ?? (entry.accepts === 'key' ? material.keys : material.tokens)
  const decide = await entry.decide({ ...material, own })
  return repeated(entry.name, decide, asTaken(entry, credentials), turnMs)
}

/**
 * @param {string} name
 * @param {Decide} decide
 * @param {Buffer[]} originals
 * @param {number} turnMs
 * @returns {Promise<Turn>}
 */
async function repeated(name, decide, originals, turnMs) {
  // The first pass takes new credentials and compiles code: only the second tells how many calls fill a turn.
  await timeOneByOne(decide, originals, originals.length)
  const microseconds = await timeOneByOne(decide, originals, originals.length)
  const calls = Math.round(Math.min(20_000, Math.max(100, (turnMs * 1000) / microseconds)))
  let from = 0
  return {
    name,
    time() {
      from += calls
      return timeOneByOne(decide, originals, calls, from)
    },
  }
}

/** @type {(contender: Contender, credentials: Buffer[]) => Buffer[]} */
const asTaken = ({ takes }, credentials) => (takes === 'header' ? headersOf(credentials) : credentials)

/**
 * One verifier of each contender, which has been running for a while.
 *
 * @param {Contender[]} entries
 * @param {Material} material
 * @param {Buffer[]} credentials
 */
async function warmedUp(entries, material, credentials) {
  /** @type {Warm[]} */
  const verifiers = []
  for (const entry of entries) {
    const decide = await entry.decide(material)
    const originals = asTaken(entry, credentials)
    const until = performance.now() + WARM_UP_MS
    for (let from = 0; from < originals.length && performance.now() < until; from += WARM_UP_CALLS) {
      await timeOneByOne(decide, originals, WARM_UP_CALLS, from)
    }
    verifiers.push({ entry, decide })
  }
  return verifiers
}

/**
 * No credential has been seen before: each turn has its own, and all contenders the same.
 *
 * @param {Warm[]} verifiers
 * @param {Buffer[]} credentials
 * @param {number} calls
 * @param {typeof timeOneByOne} time
 * @returns {Turn[]}
 */
function neverSeen(verifiers, credentials, calls, time) {
  return verifiers.map(({ entry, decide }) => {
    const originals = asTaken(entry, credentials)
    let from = 0
    return {
      name: entry.name,
      async time() {
        const turn = originals.slice(from, from + calls)
        from += calls
        return time(decide, turn, turn.length)
      },
    }
  })
}

/**
 * Ours alone: the cost of a refusal beside that of an acceptance.
 *
 * @param {Material} material
 * @param {number} turnMs
 */
async function refusals(material, turnMs) {
  const verifier = ourVerifier(material)
  /** @type {Decide} */
  const refuse = (authorization) => {
    try {
      const answer = verifier.authenticate({ authorization })
      return answer instanceof Promise ? answer.catch(() => {}) : answer
    } catch (error) {
      return error
    }
  }
  const { keys: unknown } = await createKeys(REFUSED)
  const expired = material.issuer.tokens('RS256', REFUSED, { exp: Math.floor(Date.now() / 1000) - 60 })
  const mistyped = material.keys.map((key) => {
    const copy = Buffer.from(key)
    copy[30] = copy[30] === 65 ? 66 : 65
    return copy
  })
  const noise = material.keys.map(() => Buffer.from(randomBytes(560).toString('base64url')))
  const lines = {
    'accepting a token': material.tokens,
    'accepting a key': material.keys,
    'bad checksum': mistyped,
    'random bytes': noise,
    'expired token, repeated': expired,
    'unknown key, repeated': unknown,
  }
  return Promise.all(
    Object.entries(lines).map(async ([name, credentials]) => {
      const originals = headersOf(credentials)
      const turn = await repeated(name, refuse, originals, turnMs)
      if (!name.endsWith('repeated')) return turn
      return {
        name,
        async time() {
          await timeOneByOne(refuse, originals, originals.length)
          return turn.time()
        },
      }
    }),
  )
}
