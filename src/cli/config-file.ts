import { statSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { oneLine } from '../core/cause.js'
import { UsageError } from './command.js'

/** A function of the module may have to ask somebody for a secret. */
const LIMIT_MS = 10_000

/** The options of a service, as its module has them. Nothing in them is checked yet. */
export type GivenOptions = Readonly<Record<string, unknown>>

/**
 * Loads the module that `--config` names: its default export is the options of a service, or a function that returns them
 * or a promise of them. A relative path starts at the working directory. What the module prints goes to standard error, so
 * that standard output holds the answer alone.
 *
 * @throws {UsageError} when there is no such file, it cannot be loaded, or it does not export that
 */
export async function readConfigFile(path: string): Promise<GivenOptions> {
  const fault = (what: string) => new UsageError(`--config ${JSON.stringify(path)} ${what}`)
  const stats = statSync(resolve(path), { throwIfNoEntry: false })
  if (stats === undefined)
    throw fault(`is not there; a relative path starts at the working directory, ${process.cwd()}`)
  if (!stats.isFile()) throw fault('is not a file; give a module whose default export is the options')
  const write = process.stdout.write
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof write
  try {
    const options = await within(LIMIT_MS, load(path))
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw fault(`must have a default export: the options of the service, or a function that returns them`)
    }
    return options as GivenOptions
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw fault(describeFault(error, extname(path)))
  } finally {
    process.stdout.write = write
  }
}

async function load(path: string): Promise<unknown> {
  isLoaded = true
  const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(resolve(path)).href)
  // What TypeScript and Babel compile to CommonJS has its default export in a member of that name.
  const exported = isCompiled(module.default) ? module.default.default : module.default
  return typeof exported === 'function' ? exported() : exported
}

function isCompiled(exported: unknown): exported is { readonly default: unknown } {
  return typeof exported === 'object' && exported !== null && '__esModule' in exported && 'default' in exported
}

/** With a timer that keeps the process alive: else one that waits for nothing else would end without a word. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${limitMs / 1000} s`)), limitMs)
  })
  try {
    return await Promise.race([work, silence])
  } finally {
    clearTimeout(timer)
  }
}

function describeFault(error: unknown, extension: string): string {
  const { code, name, message } = (error ?? {}) as { code?: unknown; name?: unknown; message?: unknown }
  if (/^\.[cm]?tsx?$/.test(extension) && code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return `is TypeScript, which Node ${process.versions.node} cannot load: use Node 22.18 or later, compile it, or set NODE_OPTIONS="--import tsx" where tsx is installed`
  }
  if (extension === '.json') return 'is JSON; give a module: export default { … } in a file that ends in .mjs'
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return 'is no module: its name must end in .mjs, .cjs or .js'
  const told = typeof message === 'string' ? oneLine(`${name}: ${message.split('\n')[0]}`) : 'no Error'
  const cure =
    error instanceof SyntaxError ? ' (an ES module is named .mjs, or has "type": "module" in its package.json)' : ''
  return `cannot be loaded: ${told}${cure}`
}

let isLoaded = false
let ownStore: { close(): Promise<void> } | undefined
const CLOSE_LIMIT_MS = 2000

/** Has a store of the module closed at the end: an open SQLite file has two others beside it. */
export function closeAtEnd(store: { close(): Promise<void> }): void {
  ownStore = store
}

/**
 * Ends the process once its output is written, if a module of an application was loaded: it may have opened what nobody here
 * can close, such as a pool, a server or a timer.
 */
export async function endModule(): Promise<void> {
  if (!isLoaded) return
  try {
    await within(CLOSE_LIMIT_MS, Promise.resolve(ownStore?.close()))
  } catch {
    // The answer is known, and the process ends anyway.
  }
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve))
  process.exit()
}
