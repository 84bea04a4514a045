import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { formatCommands } from './commands.js'
import type { Demo, DemoOptions } from './start.js'

const USAGE = `Runs the Vantage authentication page on this machine: an authorization server and the sample API on
Express, Koa and Fastify. Prints the page's commands with live values, and stays up until Ctrl-C.

Usage: npm run demo -- [options]

  --interactive   show a page to sign in and consent on, instead of consenting at once
  --port N        authorization server on port N, the APIs on N+1 to N+3 (default: free ports)
  --json          print one line of JSON instead: addresses, API key, client (use npm run -s)
  --help          this text
`

const HIGHEST_PORT = 65535 - 3
const CLOSING_LIMIT_MS = 5000

interface Arguments extends DemoOptions {
  readonly json: boolean
  readonly help: boolean
}

/** @throws {Error} whose message says what is wrong with the arguments */
function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      interactive: { type: 'boolean', default: false },
      port: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const { port, ...flags } = values
  if (port === undefined) return flags
  const number = Number(port)
  if (!/^\d+$/.test(port) || number < 1 || number > HIGHEST_PORT) {
    throw new Error(`--port takes a number from 1 to ${HIGHEST_PORT}`)
  }
  return { ...flags, port: number }
}

function isTakenPort(error: unknown): error is Error & { port: number } {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE' && 'port' in error
}

async function main(): Promise<number> {
  let options: Arguments
  try {
    options = readArguments()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`)
    return 2
  }
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }

  // Registered before the first file is made, and not only once: npm and the terminal may both pass on one Ctrl-C.
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    process.stdout.on('error', () => resolve()) // the reader of a pipe went away
  })
  let demo: Demo
  try {
    const { startDemo } = await import('./start.js') // the three frameworks, which --help can do without
    demo = await startDemo(options)
  } catch (error) {
    if (!isTakenPort(error)) throw error
    process.stderr.write(
      `Port ${error.port} is taken. End what listens there, or choose others: npm run demo -- --port N\n`,
    )
    return 1
  }
  if (options.json) process.stdout.write(`${JSON.stringify(demo)}\n`)
  else {
    const state = randomBytes(12).toString('base64url')
    process.stdout.write(formatCommands(demo, { interactive: options.interactive, state }))
  }
  await stopped
  // A demo that cannot end itself must not need to be killed.
  setTimeout(() => process.exit(1), CLOSING_LIMIT_MS).unref()
  await demo.close()
  return 0
}

process.exitCode = await main()
