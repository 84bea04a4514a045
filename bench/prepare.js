/** Runs one of the benchmarks, after what it needs has been installed and built: `node bench/prepare.js main`. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

function npm(...args) {
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
}

function newest(folder) {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return Math.max(...files.map((file) => statSync(join(root, folder, file)).mtimeMs))
}

const modified = (file) => (existsSync(join(root, file)) ? statSync(join(root, file)).mtimeMs : 0)

if (modified('bench/node_modules/.package-lock.json') < modified('bench/package-lock.json')) {
  npm('ci', '--prefix', 'bench', '--no-audit', '--no-fund', '--loglevel=error')
}
if (modified('dist/esm/src/index.js') < Math.max(newest('src'), newest('adapters'))) npm('run', 'build')

await import(`./${process.argv[2]}.js`)
