import { type ParseArgsConfig, parseArgs } from 'node:util'
import { ArgumentError } from '../core/argument-error.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { decodeObject } from '../token/encoding.js'

/** A wrong argument: the command prints its usage and exits with 2. */
export class UsageError extends Error {
  static {
    this.prototype.name = 'UsageError'
  }
}

/** How the command line names the arguments and options of the library. */
const FLAGS_OF: Readonly<Record<string, string>> = {
  subject: '--subject',
  scopes: '--scopes',
  name: '--name',
  tenant: '--tenant',
  actor: '--actor',
  reason: '--reason',
  state: '--state',
  cursor: '--cursor',
  limit: '--limit',
  days: '--days',
  expiresIn: '--expires',
  overlap: '--overlap',
  unusedFor: '--unused',
  expiringWithin: '--expiring',
  issuer: '--issuer',
  tokenId: '--token-id',
  clientId: '--client-id',
  issuedBefore: '--issued-before',
  tokenLife: '--token-life',
  audience: '--audience',
  profile: '--profile',
  environment: '--environment',
  jwks: '--jwks',
  id: 'ID',
}

/**
 * What is wrong with the arguments, in words of the command line. `undefined` for an error that has another cause: a
 * TypeError that the engine throws is a mistake of ours and not of whoever typed the command.
 */
export function faultOfArguments(error: unknown): string | undefined {
  if (error instanceof UsageError) return error.message
  if (!(error instanceof ArgumentError)) return undefined
  const { argument, message } = error
  // Of `jwks.keys[0]` the option is `jwks`.
  return argument.replace(/^\w+/, (name) => FLAGS_OF[name] ?? name) + message.slice(argument.length)
}

export type Flags = NonNullable<ParseArgsConfig['options']>

/** The arguments of one command. When a flag is given twice, the last one counts. */
export interface Arguments {
  text(flag: string): string | undefined
  is(flag: string): boolean
  /** The arguments that are not flags, as many as the command takes. */
  readonly operands: readonly string[]
}

/** One command, and its help. */
export interface Command {
  /** What stands behind the program's name: `keys show ID [options]`. */
  readonly synopsis: string
  readonly summary: string
  /** Options and examples. */
  readonly help: string
  readonly flags: Flags
  /** How the synopsis names its operands. */
  readonly operands: readonly string[]
  /** Resolves to the exit code; to anything else for 0. */
  run(given: Arguments): Promise<unknown>
}

/** @throws {UsageError} for an unknown flag, a flag without its value, and for too few or too many operands */
export function readArguments(command: Command, words: string[]): Arguments {
  let parsed: ReturnType<typeof parseArgs>
  try {
    const options = { ...command.flags, help: { type: 'boolean', short: 'h' } } as const
    parsed = parseArgs({ args: words, options, allowPositionals: true, strict: true })
  } catch (error) {
    // The first sentence names the flag; what follows is advice on how to quote operands.
    throw new UsageError((error as Error).message.split(/\.\s|\n/)[0]?.replace(/\.$/, ''))
  }
  const { values, positionals } = parsed
  // `--help` is an answer to any arguments.
  if (values.help !== true) {
    const missing = command.operands[positionals.length]
    if (missing !== undefined) throw new UsageError(`${missing} is missing`)
    if (positionals.length > command.operands.length) {
      throw new UsageError(`too many arguments: beside its flags it takes ${command.operands.join(' ') || 'none'}`)
    }
  }
  return {
    operands: positionals,
    text: (flag) => (typeof values[flag] === 'string' ? values[flag] : undefined),
    is: (flag) => values[flag] === true,
  }
}

export function formatHelp(command: Command): string {
  return `${command.summary}\n\nUsage: vantage-auth ${command.synopsis}\n\n${command.help}`
}

export function required(given: Arguments, flag: string): string {
  const value = given.text(flag)
  if (value === undefined) throw new UsageError(`--${flag} is missing`)
  return value
}

/**
 * Refuses a whole token where a claim of it belongs: it would be stored and shown in clear. The library takes it, since an
 * issuer may write anything into a claim.
 *
 * @param claim the claim that the flag takes
 * @throws {UsageError} without the token
 */
export function refuseToken(value: string | undefined, flag: string, claim: string): void {
  const header = /^\s*(?:Bearer\s+)?([\w-]+)\.[\w-]*\.[\w-]*\s*$/i.exec(value ?? '')?.[1]
  if (header !== undefined && typeof decodeObject(header)?.alg === 'string') {
    throw new UsageError(`--${flag} must be no token; give its ${claim} claim`)
  }
}

export function readDuration(given: Arguments, flag: string, otherwise = '', minimumSeconds = 1): Duration | undefined {
  const value = given.text(flag)
  if (value === undefined) return undefined
  const duration = /^\d+$/.test(value) ? Number(value) : value
  try {
    parseDuration(duration, `--${flag}`, minimumSeconds)
  } catch (error) {
    throw new UsageError(`${(error as TypeError).message}${otherwise}`)
  }
  return duration
}

export function readWhole(given: Arguments, flag: string): number | undefined {
  const value = given.text(flag)
  return value === undefined ? undefined : /^\d+$/.test(value) ? Number(value) : Number.NaN
}
