import { debuglog } from 'node:util'
import { describeCause, LONGEST_REPORT, withoutSecrets } from '../src/core/cause.js'

const debug = debuglog('vantage-auth')

/** Much more than the stacks of ten lines that V8 makes. */
const LONGEST_STACK = 20_000

/**
 * What `authorize` threw, for the log: its message, and where in the application it came from. Under
 * `NODE_DEBUG=vantage-auth` the whole stack is written. It may be given anything.
 */
export function describeThrown(error: unknown): string {
  const stack = readStack(error)
  if (stack !== '') debug('authorize of the console: %s', withoutSecrets(stack))
  const place = stack.split('\n').find(isOfApplication)
  return `${describeCause(error, LONGEST_REPORT)}${place === undefined ? '' : ` (${place.trim()})`}`
}

function isOfApplication(line: string): boolean {
  return /^\s+at .*:\d+:\d+\)?$/.test(line) && !/[\\/]node_modules[\\/]|[( ]node:/.test(line)
}

function readStack(error: unknown): string {
  try {
    const { stack } = (error ?? {}) as { stack?: unknown }
    return typeof stack === 'string' ? stack.slice(0, LONGEST_STACK) : ''
  } catch {
    return ''
  }
}
