/**
 * Builds the console's page into dist/page. Run as a command it always builds; tests and the demo call {@link ensurePage},
 * which builds what is absent or older than its sources.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = join(ROOT, 'dist/page')
/** What the page is made of. */
const SOURCES = ['console/page', 'console/api-types.ts', 'scripts/page.ts', 'package-lock.json']

export async function ensurePage(): Promise<void> {
  if (builtAt() < changedAt()) await buildPage()
}

/** Builds beside the place and moves the finished folder in: processes that build at the same time do not meet. */
async function buildPage(): Promise<void> {
  const fresh = join(ROOT, 'dist', `.page-${process.pid}`)
  const stale = `${fresh}-stale`
  try {
    await bundle(fresh)
    compress(fresh)
    mkdirSync(dirname(PAGE), { recursive: true })
    unless('ENOENT', () => renameSync(PAGE, stale))
    // Another process was faster: its build is of the same sources.
    unless('ENOTEMPTY', () => renameSync(fresh, PAGE))
  } finally {
    for (const folder of [fresh, stale]) rmSync(folder, { recursive: true, force: true })
  }
}

/** Does it, and takes a failure with this code for done. */
function unless(code: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error
  }
}

async function bundle(outDir: string): Promise<void> {
  // Most calls find a page and need no bundler, which takes longer to load than the look at the files.
  const { build } = await import('vite')
  await build({
    configFile: false,
    root: join(ROOT, 'console/page'),
    // The console is mounted at a path that is not known here: every URL of the page is relative.
    base: './',
    publicDir: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      // The page's content security policy allows files, and nothing that stands in the document.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  })
}

/** Each file once more in brotli and in gzip: the server compresses nothing. */
function compress(folder: string): void {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, file)
    if (statSync(path).isDirectory()) continue
    const bytes = readFileSync(path)
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    writeFileSync(`${path}.br`, brotliCompressSync(bytes))
  }
}

function builtAt(): number {
  return statSync(join(PAGE, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function changedAt(): number {
  const files = SOURCES.flatMap((source) => {
    const path = join(ROOT, source)
    if (!statSync(path).isDirectory()) return [path]
    // The folders as well: they change when a file goes.
    return [path, ...readdirSync(path, { recursive: true, encoding: 'utf8' }).map((file) => join(path, file))]
  })
  return Math.max(...files.map((file) => statSync(file).mtimeMs))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage()
