/** Installs and builds what a benchmark needs, then runs it: `node bench/prepare.js decisions`. README.md lists them. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SOURCES } from './shared/sources.js'

const root = join(import.meta.dirname, '..')

/** @param {string[]} args */
function npm(...args) {
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
}

/** @param {string} file */
const modified = (file) => (existsSync(join(root, file)) ? statSync(join(root, file)).mtimeMs : 0)

/** @param {string} source a file, or a folder with all that it holds */
function newest(source) {
  if (!statSync(join(root, source)).isDirectory()) return modified(source)
  const files = readdirSync(join(root, source), { recursive: true, encoding: 'utf8' })
  return Math.max(...files.map((file) => modified(join(source, file))))
}

if (modified('bench/node_modules/.package-lock.json') < modified('bench/package-lock.json')) {
  npm('ci', '--prefix', 'bench', '--no-audit', '--no-fund', '--loglevel=error')
}
if (modified('dist/esm/src/index.js') < Math.max(...SOURCES.map(newest))) npm('run', 'build')

const name = process.argv[2]
await import(name === 'check' ? './check.js' : `./${name}/${name}.js`)
