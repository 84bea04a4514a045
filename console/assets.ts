import { readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConsoleAnswer } from './exchange.js'

/** The files of the page. */
export interface Assets {
  /** The page itself. */
  page(acceptEncoding: string | undefined): ConsoleAnswer
  /** The file at a path such as `/assets/main-B1x2y3z4.js`. No path reaches the file system: this is a closed table. */
  find(path: string): Asset | undefined
}

export type Asset = (acceptEncoding: string | undefined) => ConsoleAnswer

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** The forms that a file lies there in, best first, and how their names end. */
const FORMS = [
  ['br', '.br'],
  ['gzip', '.gz'],
  ['identity', ''],
] as const

type Form = (typeof FORMS)[number][0]

const PAGE = 'index.html'

let loaded: Assets | undefined

/**
 * Reads the page's files into memory, once.
 *
 * @throws {TypeError} where the page is not built
 */
export function loadAssets(): Assets {
  loaded ??= readAssets(join(packageFolder(), 'dist/page'))
  return loaded
}

function readAssets(folder: string): Assets {
  const files = new Map(readFolder(folder).map((path) => [path, readFileSync(join(folder, path))]))
  const assets = new Map<string, Asset>()
  for (const path of files.keys()) {
    if (TYPES[extname(path)] !== undefined) assets.set(`/${path}`, createAsset(path, files))
  }
  const page = assets.get(`/${PAGE}`)
  if (page === undefined) {
    throw new TypeError(
      `The page of the console is not built: there is no ${folder}/${PAGE}; npm run build:page makes it`,
    )
  }
  assets.delete(`/${PAGE}`)
  return { page, find: (path) => assets.get(path) }
}

function readFolder(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    return files.map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
  } catch {
    return []
  }
}

/** The build writes a hash of the content into the names of files in assets/: what such a name stands for never changes. */
const HASHED = /^assets\/.+-[\w-]{8,}\.\w+$/

function createAsset(path: string, files: ReadonlyMap<string, Uint8Array>): Asset {
  const forms = FORMS.filter(([, ending]) => files.has(path + ending))
  const headers = {
    'Content-Type': TYPES[extname(path)] as string,
    Vary: 'Accept-Encoding',
    ...(HASHED.test(path) && { 'Cache-Control': 'public, max-age=31536000, immutable' }),
  }
  return (acceptEncoding) => {
    const form = chooseForm(
      forms.map(([name]) => name),
      acceptEncoding,
    )
    const [, ending] = FORMS.find(([name]) => name === form) as (typeof FORMS)[number]
    return {
      status: 200,
      headers: form === 'identity' ? headers : { ...headers, 'Content-Encoding': form },
      body: files.get(path + ending) as Uint8Array,
    }
  }
}

/** The form that the client prefers; of equals the smaller one. Where it takes none, the file as it is. */
function chooseForm(forms: readonly Form[], acceptEncoding = ''): Form {
  const qualities = new Map(acceptEncoding.toLowerCase().split(',').map(readCoding))
  // RFC 9110 §12.5.3: what is not named is taken as `*` says; identity is acceptable unless it is excluded.
  const qualityOf = (form: Form) => qualities.get(form) ?? qualities.get('*') ?? (form === 'identity' ? 0.0001 : 0)
  let best: Form = 'identity'
  let bestQuality = 0
  for (const form of forms) {
    const quality = qualityOf(form)
    if (quality > bestQuality) [best, bestQuality] = [form, quality]
  }
  return best
}

function readCoding(coding: string): [name: string, quality: number] {
  const [name = '', ...parameters] = coding.split(';').map((part) => part.trim())
  const quality = parameters.find((parameter) => parameter.startsWith('q='))
  return [name, quality === undefined ? 1 : Number(quality.slice(2)) || 0]
}

/** The package's own folder: builds of both formats and the sources lie at different depths below it. */
function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!isPackage(folder) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

function isPackage(folder: string): boolean {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name === 'vantage-auth'
  } catch {
    return false
  }
}
