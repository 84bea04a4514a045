import { parseArgs } from 'node:util'
import type { DemoOptions } from './start.js'

export const USAGE = `Runs the Vantage authentication page on this machine: an authorization server, the sample API on
Express, Koa and Fastify, and a dashboard to make keys in. Prints the page's commands with live values, and
stays up until Ctrl-C.

Usage: npm run demo -- [options]

  --interactive   show a page to sign in and consent on, instead of consenting at once
  --port N        authorization server on port N, the APIs on N+1 to N+3, the dashboard on N+4
                  (default: free ports)
  --json          print one line of JSON instead: addresses, credentials, client (use npm run -s)
  --help          this text
`

export interface Arguments extends DemoOptions {
  readonly json: boolean
  readonly help: boolean
}

const HIGHEST_PORT = 65535 - 4

/** @throws {Error} whose message says what is wrong with the arguments */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
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
