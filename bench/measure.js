/**
 * How time is measured. Contenders take turns within a round, so that what slows the machine down slows all of them. Of
 * each contender's rounds the median counts, and of two contenders the median of their ratios within a round.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'

/**
 * `BENCH_CLOCK=cpu` counts the processor time of all threads of the measured process instead of the time that passes: for
 * machines that have other work to do at the same time.
 */
export const countsCpuTime = process.env.BENCH_CLOCK === 'cpu'

/** Milliseconds. */
const now = countsCpuTime ? cpuTime : () => performance.now()

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
 */
export function freshStrings(originals, from, count) {
  const strings = new Array(count)
  for (let i = 0; i < count; i++) strings[i] = originals[(from + i) % originals.length].latin1Slice()
  return strings
}

/** Microseconds a call, one call after the other. Who answers at once is not made to pay for a promise. */
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

/** Microseconds a call, with a number of calls under way at any time. */
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
 * @param {{ name: string, time(): Promise<number> }[]} contenders
 * @param {number} rounds counted ones
 * @param {number} warmUps rounds before those that count
 * @returns {Promise<Record<string, { typical: number, rounds: number[] }>>}
 */
export async function interleave(contenders, rounds, warmUps = 2) {
  const figures = new Map(contenders.map(({ name }) => [name, []]))
  for (let round = -warmUps; round < rounds; round++) {
    // Every other round backwards: nobody is always the one after the contender that leaves most garbage.
    for (const { name, time } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const figure = await time()
      if (round >= 0) figures.get(name).push(figure)
    }
  }
  return Object.fromEntries([...figures].map(([name, values]) => [name, { typical: median(values), rounds: values }]))
}

/** Of two contenders that took turns. */
export function ratioOf(a, b) {
  return median(a.rounds.map((figure, round) => figure / b.rounds[round]))
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Where and when a result was taken. */
export function circumstances() {
  const git = (...args) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
  let commit
  try {
    commit = git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', '../src', '../adapters') && '+')
  } catch {
    commit = 'unknown'
  }
  return {
    version,
    commit,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    machine: `${cpus()[0].model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`,
  }
}

const RESULTS = join(import.meta.dirname, 'results')

export function saveResult(name, result) {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify({ ...circumstances(), ...result }, rounded, 2)}\n`)
}

/** `undefined` when there is none yet. */
export function loadResult(name) {
  if (!existsSync(join(RESULTS, `${name}.json`))) return undefined
  return JSON.parse(readFileSync(join(RESULTS, `${name}.json`), 'utf8'))
}

function rounded(_, value) {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value
}
