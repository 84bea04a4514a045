import { randomBytes } from 'node:crypto'
import { type Arguments, readArguments, USAGE } from './arguments.js'
import { formatCommands } from './commands.js'
import type { Demo } from './start.js'

const CLOSING_LIMIT_MS = 5000

function isTakenPort(error: unknown): error is Error & { port: number } {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE' && 'port' in error
}

async function main(): Promise<number> {
  let options: Arguments
  try {
    options = readArguments(process.argv.slice(2))
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
