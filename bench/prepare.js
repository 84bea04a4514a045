/** Installs and builds what a benchmark needs, then runs it: `node bench/prepare.js decisions`. README.md lists them. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

/** @param {string[]} args */
function npm(...args) {
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
}

/** @param {string} folder */
function newest(folder) {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return Math.max(...files.map((file) => statSync(join(root, folder, file)).mtimeMs))
}

/** @param {string} file */
const modified = (file) => (existsSync(join(root, file)) ? statSync(join(root, file)).mtimeMs : 0)

if (modified('bench/node_modules/.package-lock.json') < modified('bench/package-lock.json')) {
  npm('ci', '--prefix', 'bench', '--no-audit', '--no-fund', '--loglevel=error')
}
if (modified('dist/esm/src/index.js') < Math.max(newest('src'), newest('adapters'), newest('console')))
  npm('run', 'build')

const name = process.argv[2]
await import(name === 'check' ? './check.js' : `./${name}/${name}.js`)
