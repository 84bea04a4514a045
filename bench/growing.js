/** Growth and start, each measured in a fresh process. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { interleave } from './measure.js'

const run = promisify(execFile)

/** What a child of `grow.js` prints. */
async function child(...args) {
  const script = new URL('./grow.js', import.meta.url).pathname
  const { stdout } = await run(process.execPath, [
    '--expose-gc',
    '--max-old-space-size=4096',
    script,
    ...args.map(String),
  ])
  return JSON.parse(stdout)
}

/** @param {{ rounds: number, sizes: number[], imports: number }} effort `imports`: how often each module is imported */
export async function measureGrowth({ rounds, sizes, imports }) {
  const entries = {}
  for (const accepts of ['token', 'key']) {
    entries[accepts] = {}
    for (const size of sizes) entries[accepts][size] = await child('entries', accepts, size, rounds)
  }
  const keySet = await child('keySet', rounds)
  return { entries, keySet, imports: await measureImports(imports) }
}

/** The time from before an import to after it, as the importing process sees it. */
function measureImports(rounds) {
  const modules = {
    jose: './node_modules/jose/dist/webapi/index.js',
    express: '../dist/esm/adapters/express.js',
    koa: '../dist/esm/adapters/koa.js',
    fastify: '../dist/esm/adapters/fastify.js',
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
