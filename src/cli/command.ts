import { type ParseArgsConfig, parseArgs } from 'node:util'
import { ArgumentError } from '../core/argument-error.js'
import { formatChoice } from '../core/choice.js'
import { type Duration, parseDuration } from '../core/duration.js'
import { decodeObject } from '../token/encoding.js'
import { didYouMean } from './suggestion.js'

/** A wrong argument: the command prints its usage and exits with 2. */
export class UsageError extends Error {
  readonly code = 'ERR_VANTAGE_USAGE'
  static {
    this.prototype.name = 'UsageError'
  }
}

/** What went wrong while a command ran, in words for whoever typed it: the command exits with 1. */
export class CommandError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
  static {
    this.prototype.name = 'CommandError'
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
  role: '--role',
  schema: '--schema',
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

/** An option of a command: what it is called in the help, how it is read, and what completes it. */
export interface Option {
  /** What its value is called: `TEXT`. Without it the option is a switch. */
  readonly value?: string
  /** One sentence without a full stop. Not needed where `choices` say it all. */
  readonly help?: string
  /** The values that there are. Others are refused. */
  readonly choices?: readonly string[]
  /** The value where none is given. Not for an option that a variable can set as well. */
  readonly default?: string
  /** The value where it is given without one. Such a value is a duration: what else stands behind the option is none. */
  readonly alone?: string
  /** The variable that is read where the option is not given, for the help. */
  readonly variable?: string
  readonly required?: boolean
}

export type Options = Readonly<Record<string, Option>>

/** The arguments of a command that are not options. */
export interface Operand {
  /** What they are called: `ID`. */
  readonly name: string
  /** How many are needed. Default: 1. */
  readonly least?: number
  /** How many may be given; Infinity for any number. Default: 1. */
  readonly most?: number
  /** The values that there are. Others are refused. */
  readonly choices?: readonly string[]
}

/** One command. Parsing, help, completion and `Did you mean …?` come from this alone. */
export interface Command {
  /** One line, without a full stop. */
  readonly summary: string
  /** What stands behind the name of the command, where it is not simply its options and operand. */
  readonly usage?: string
  /** Paragraphs. They are wrapped, so that they contain no line breaks. */
  readonly about?: readonly string[]
  readonly options: Options
  /** Options that people look for here, and what holds instead. */
  readonly absent?: Readonly<Record<string, string>>
  readonly operand?: Operand
  /** Whether an option with a value that is given twice is refused. Default: false; the last one counts. */
  readonly refusesRepeated?: boolean
  /** Lines to paste. They begin with `vantage-auth`, or lead to it through a pipe. Long ones are wrapped. */
  readonly examples: readonly string[]
  /** What the exit codes say, where that is more than what they say of every command. */
  readonly exitCodes?: string
  /** Resolves to the exit code; to anything else for 0. */
  run(given: Arguments): Promise<unknown>
}

/** Exit codes. `found` is for commands that look for something bad, and have found it. */
export const EXIT = { ok: 0, trouble: 1, usage: 2, found: 3 } as const

/** The arguments of one command. When an option is given twice, the last one counts, unless the command refuses that. */
export interface Arguments {
  /** The value of an option, or its default. */
  text(option: string): string | undefined
  is(option: string): boolean
  readonly operands: readonly string[]
  /** The first operand; empty when there is none. */
  readonly operand: string
}

/** Options that each command has. */
const HELP = { help: { type: 'boolean', short: 'h' } } as const

/**
 * @throws {UsageError} for an unknown option, an option without its value, or with two where the command refuses that, a value
 * that is none of the choices, and too few or too many operands
 */
export function readArguments(command: Command, words: readonly string[]): Arguments {
  const { values, positionals, tokens } = parse(command, words)
  const text = (option: string) => {
    const value = values[option]
    return typeof value === 'string' ? value : command.options[option]?.default
  }
  const given: Arguments = {
    operands: positionals,
    operand: positionals[0] ?? '',
    text,
    is: (option) => values[option] === true,
  }
  // `--help` is an answer to any arguments.
  if (values.help !== true) {
    if (command.refusesRepeated === true) refuseRepeated(command.options, tokens)
    checkOperands(command.operand, positionals)
    for (const [option, { choices, required: isRequired }] of Object.entries(command.options)) {
      if (isRequired) required(given, option)
      const value = values[option]
      if (choices !== undefined && value !== undefined) checkChoice(`--${option}`, String(value), choices)
    }
  }
  return given
}

type OptionTypes = NonNullable<ParseArgsConfig['options']>
type Parsed = ReturnType<typeof parseArgs<{ options: OptionTypes; allowPositionals: true; tokens: true }>>

function parse({ options, absent = {} }: Command, words: readonly string[]): Parsed {
  const types = Object.entries(options).map(
    ([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' }] as const,
  )
  try {
    return parseArgs({
      args: addValues(options, words),
      options: { ...Object.fromEntries(types), ...HELP },
      allowPositionals: true,
      strict: true,
      tokens: true,
    })
  } catch (error) {
    // The first sentence names the option; what follows is advice on how to quote operands.
    const fault = (error as Error).message.split(/\.\s|\n/)[0]?.replace(/\.$/, '') ?? ''
    const unknown = /^Unknown option '(--?[^\s'=]+)/.exec(fault)?.[1]
    const instead = Object.entries(absent).find(([name]) => unknown === `--${name}`)?.[1]
    if (instead !== undefined) throw new UsageError(`${fault}: ${instead}`)
    const hint = unknown === undefined ? '' : didYouMean(unknown, optionWords(options))
    throw new UsageError(fault + (hint === '' ? '' : `.${hint}`))
  }
}

/** Where it matters that `--subject a --subject b` is not both. A switch says the same twice. */
function refuseRepeated(options: Options, tokens: Parsed['tokens']): void {
  const given = new Set<string>()
  for (const token of tokens) {
    if (token.kind !== 'option' || options[token.name]?.value === undefined) continue
    if (given.has(token.name)) throw new UsageError(`--${token.name} is given twice`)
    given.add(token.name)
  }
}

/** What somebody means as a duration, also where it is a wrong one. No id of a key is that short. */
const LIKE_DURATION = /^\d{1,5}[a-z]{0,3}$/i

/** Writes `--wait 10s` as `--wait=10s`, and `--wait` without a duration behind it with its value. */
function addValues(options: Options, words: readonly string[]): string[] {
  const written: string[] = []
  const end = words.indexOf('--')
  const before = end < 0 ? words : words.slice(0, end)
  for (let i = 0; i < before.length; i++) {
    const word = before[i] ?? ''
    const alone = word.startsWith('--') ? options[word.slice(2)]?.alone : undefined
    const next = before[i + 1] ?? ''
    if (alone === undefined) written.push(word)
    else if (LIKE_DURATION.test(next)) written.push(`${word}=${before[++i]}`)
    else written.push(`${word}=${alone}`)
  }
  return [...written, ...words.slice(before.length)]
}

/** The options of a command as they are typed. */
export function optionWords(options: Options): string[] {
  return [...Object.keys(options), ...Object.keys(HELP)].map((name) => `--${name}`)
}

function checkOperands(operand: Operand | undefined, given: readonly string[]): void {
  const { name = '', least = 1, most = 1, choices } = operand ?? { least: 0, most: 0 }
  if (given.length < least) throw new UsageError(`${name} is missing`)
  if (given.length > most) {
    throw new UsageError(`too many arguments: beside its options it takes ${operand ? synopsisOf(operand) : 'none'}`)
  }
  if (choices !== undefined) for (const word of given) checkChoice(name, word, choices)
}

/** How the usage line shows operands: `ID`, `[ID]`, `ID…`. */
export function synopsisOf({ name, least = 1, most = 1, choices }: Operand): string {
  const words = `${choices === undefined ? name : choices.join('|')}${most > 1 ? '…' : ''}`
  return least === 0 ? `[${words}]` : words
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return
  const list = choices.length > 2 ? `one of ${choices.join(', ')}` : formatChoice(choices)
  const hint = didYouMean(value, choices)
  throw new UsageError(`${name} must be ${list}${hint === '' ? '' : `.${hint}`}`)
}

export function required(given: Arguments, option: string): string {
  const value = given.text(option)
  if (value === undefined) throw new UsageError(`--${option} is missing`)
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

/**
 * A duration as it is typed. A number needs its unit: in code `90` means seconds, and whoever types `--expires 90` means
 * days. `1y` is 365 days.
 *
 * @param unit the unit that people mean when they leave it out
 * @param otherwise further values, for the message
 * @throws {UsageError} with the duration that was probably meant
 */
export function readDuration(
  given: Arguments,
  option: string,
  { unit = 'd', otherwise = '', minimumSeconds = 1 }: { unit?: Unit; otherwise?: string; minimumSeconds?: number } = {},
): Duration | undefined {
  const value = given.text(option)
  if (value === undefined) return undefined
  const years = /^(\d{1,3})y$/.exec(value)?.[1]
  const duration = years === undefined ? value : `${365 * Number(years)}d`
  try {
    parseDuration(duration, `--${option}`, minimumSeconds)
  } catch (error) {
    const { message } = error as TypeError
    // What the library says of numbers holds in code alone.
    throw new UsageError(
      `${message.replace("'24h' or '90d', or a number of whole seconds", "'24h', '90d' or '1y'")}${otherwise}${meant(value, unit)}`,
    )
  }
  return duration
}

/** Days of the units that people try. */
const DAYS: Readonly<Record<string, number>> = { M: 30, mo: 30, w: 7 }

type Unit = 's' | 'h' | 'd'

function meant(value: string, unit: Unit): string {
  const [, digits, given = ''] = /^(\d{1,5})(M|mo|w|)$/.exec(value) ?? []
  if (digits === undefined) return ''
  const days = DAYS[given]
  const guess = days !== undefined ? `${days * Number(digits)}d` : `${digits}${Number(digits) === 0 ? 's' : unit}`
  return given === '' ? `. A number needs a unit: ${guess}?` : `. Did you mean ${guess}?`
}

export function readWhole(given: Arguments, option: string): number | undefined {
  const value = given.text(option)
  return value === undefined ? undefined : /^\d+$/.test(value) ? Number(value) : Number.NaN
}
