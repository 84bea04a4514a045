/** What grows with the number of credentials and keys, and what it takes to start: each measured in a fresh process. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { interleave } from '../shared/timing.js'

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
  /** @type {GrowthResults['entries']} */
  const entries = { token: {}, key: {} }
  for (const accepts of /** @type {Accepts[]} */ (['token', 'key'])) {
    for (const size of sizes) entries[accepts][size] = await child('entries', accepts, size, rounds)
  }
  const keySet = await child('keySet', rounds)
  return { entries, keySet, imports: await measureImports(imports) }
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
