/** What grows with the number of credentials and keys, and what it takes to start: each measured in a fresh process. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startIssuer } from '../shared/credentials.js'
import { interleave, median } from '../shared/timing.js'

/** @import { Accepts, Figures, GrowthResults } from '../shared/types.d.ts' */

const run = promisify(execFile)

/**
 * Runs one measurement of growth-process.js.
 *
 * @param {(string | number)[]} args
 */
async function child(...args) {
  const script = new URL('./growth-process.js', import.meta.url).pathname
  const { stdout } = await run(process.execPath, [
    '--expose-gc',
    '--max-old-space-size=4096',
    script,
    ...args.map(String),
  ])
  return JSON.parse(stdout)
}

/**
 * @param {{ rounds: number, sizes: number[], imports: number }} effort `imports`: how often each module is imported
 * @returns {Promise<GrowthResults>}
 */
export async function measureGrowth({ rounds, sizes, imports }) {
  const entries = await measureEntries(rounds, sizes)
  const keySet = await child('keySet', rounds)
  return { entries, keySet, firstTokens: await measureFirstTokens(15), imports: await measureImports(imports) }
}

/**
 * Caches of these sizes.
 *
 * @param {number} rounds
 * @param {number[]} sizes
 */
export async function measureEntries(rounds, sizes) {
  /** @type {GrowthResults['entries']} */
  const entries = { token: {}, key: {} }
  for (const accepts of /** @type {Accepts[]} */ (['token', 'key'])) {
    for (const size of sizes) entries[accepts][size] = await child('entries', accepts, size, rounds)
  }
  return entries
}

/** How many new tokens a process decides on, its first ones and those by which its code is compiled included. */
const TOKENS_OF_PROCESS = 5000

/**
 * @param {number} processes
 * @returns {Promise<NonNullable<GrowthResults['firstTokens']>>}
 */
export async function measureFirstTokens(processes) {
  const { issuer, jwks, tokens, close } = await startIssuer()
  const folder = mkdtempSync(join(tmpdir(), 'vantage-tokens-'))
  try {
    const file = join(folder, 'tokens.json')
    writeFileSync(file, JSON.stringify({ issuer, jwks, tokens: tokens('RS256', TOKENS_OF_PROCESS).map(String) }))
    /** @type {{ first: number, later: number }[]} */
    const rounds = []
    for (let i = 0; i < processes; i++) rounds.push(await child('firstTokens', file))
    /** @param {number[]} values */
    const figure = (values) => ({ typical: median(values), rounds: values })
    return { first: figure(rounds.map(({ first }) => first)), later: figure(rounds.map(({ later }) => later)) }
  } finally {
    close()
    rmSync(folder, { recursive: true })
  }
}

/**
 * The time from before an import to after it, as the importing process sees it.
 *
 * @param {number} rounds
 * @returns {Promise<Figures>}
 */
function measureImports(rounds) {
  const modules = {
    jose: '../node_modules/jose/dist/webapi/index.js',
    express: '../../dist/esm/adapters/express.js',
    koa: '../../dist/esm/adapters/koa.js',
    fastify: '../../dist/esm/adapters/fastify.js',
  }
  return interleave(
    Object.entries(modules).map(([name, path]) => ({
      name,
      async time() {
        const url = new URL(path, import.meta.url).href
        const code = `const t = performance.now(); await import('${url}'); console.log(performance.now() - t)`
        const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code])
        return Number(stdout)
      },
    })),
    rounds,
  )
}
