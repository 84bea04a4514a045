/**
 * How time is measured. Contenders take turns within a round, so that what slows the machine down slows all of them.
 * A contender's figure is the median of its rounds; a ratio of two is the median of their ratios within a round.
 */

/** @import { Decide, Figure, Figures, Spread, Turn } from './types.d.ts' */

/**
 * `BENCH_CLOCK=cpu` counts the processor time of all threads of the measured process instead of the time that passes: for
 * machines that have other work to do at the same time.
 */
export const countsCpuTime = process.env.BENCH_CLOCK === 'cpu'

/** Milliseconds. */
const now = countsCpuTime ? cpuTime : () => performance.now()

/** Milliseconds on a clock that all processes of the machine share. */
export const sharedNow = () => Number(process.hrtime.bigint()) / 1e6

/** Milliseconds of processor time that this process has used. */
export function cpuTime() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Calls of one timed stretch: the strings of more would not stay in the cache of the processor. */
const STRETCH = 500

/**
 * Strings as an HTTP parser delivers them: flat, one byte a character, not interned, and no hash of them computed yet.
 *
 * @param {Buffer[]} originals
 * @param {number} from where to go on in the rotation
 * @param {number} count
 * @returns {string[]}
 */
function freshStrings(originals, from, count) {
  const strings = new Array(count)
  for (let i = 0; i < count; i++) strings[i] = originals[(from + i) % originals.length].toString('latin1')
  return strings
}

/**
 * Microseconds a call, one call after the other. A promise is awaited only where there is one: a contender that answers
 * at once does not pay for it.
 *
 * @param {Decide} decide
 * @param {Buffer[]} originals
 * @param {number} calls
 */
export async function timeOneByOne(decide, originals, calls, from = 0) {
  let spent = 0
  for (let done = 0; done < calls; done += STRETCH) {
    const inputs = freshStrings(originals, from + done, Math.min(STRETCH, calls - done))
    const begunAt = now()
    for (let i = 0; i < inputs.length; i++) {
      const answer = decide(inputs[i])
      if (answer instanceof Promise) await answer
    }
    spent += now() - begunAt
  }
  return (spent * 1000) / calls
}

/**
 * Microseconds a call, with a number of calls under way at any time.
 *
 * @param {Decide} decide
 * @param {Buffer[]} originals
 * @param {number} calls
 * @param {number} inFlight
 */
export async function timeInFlight(decide, originals, calls, inFlight) {
  const inputs = freshStrings(originals, 0, calls)
  let next = 0
  const worker = async () => {
    while (next < inputs.length) await decide(inputs[next++])
  }
  const begunAt = now()
  await Promise.all(Array.from({ length: inFlight }, worker))
  return ((now() - begunAt) * 1000) / calls
}

/**
 * Times contenders in turns.
 *
 * @param {Turn[]} contenders
 * @param {number} rounds counted ones
 * @param {number} warmUps rounds before those that count
 * @returns {Promise<Figures>}
 */
export async function interleave(contenders, rounds, warmUps = 2) {
  /** @type {Map<string, number[]>} */
  const figures = new Map(contenders.map(({ name }) => [name, []]))
  for (let round = -warmUps; round < rounds; round++) {
    // Every other round backwards, so that nobody always comes after the contender that leaves the most garbage.
    for (const { name, time } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const figure = await time()
      if (round >= 0) figures.get(name)?.push(figure)
    }
  }
  return Object.fromEntries([...figures].map(([name, values]) => [name, figureOf(values)]))
}

/**
 * @param {number[]} rounds
 * @returns {Figure}
 */
export function figureOf(rounds) {
  return { typical: median(rounds), rounds }
}

/**
 * Of two contenders that took turns.
 *
 * @param {Figure} a
 * @param {Figure} b
 */
export function ratioOf(a, b) {
  return median(a.rounds.map((figure, round) => figure / b.rounds[round]))
}

/**
 * @param {number[]} times
 * @returns {Spread}
 */
export function spread(times) {
  const sorted = times.toSorted((a, b) => a - b)
  /** @param {number} q */
  const quantile = (q) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]
  return { n: sorted.length, p50: quantile(0.5), p99: quantile(0.99), max: sorted[sorted.length - 1] }
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
