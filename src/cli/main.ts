#!/usr/bin/env node
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { withoutSecrets } from '../core/cause.js'
import { KeyNotFoundError, KeyStateError, KeyStoreError } from '../core/errors.js'
import { formatGiven } from '../core/given.js'
import { UnconfirmedError } from '../keyring/unconfirmed-error.js'
import { type Command, CommandError, EXIT, faultOfArguments, readArguments } from './command.js'
import { endModule } from './config-file.js'
import { formatExamples, formatHelp, formatList, formatUsage, heading, wrap } from './help.js'
import { toJson } from './json.js'
import { isLost, print, printError, watchStreams } from './output.js'
import { allCommands, COMMANDS, GROUPS } from './program.js'
import { didYouMean } from './suggestion.js'
import { paint, printable, proseColumns, releaseNotices, withholdNotices } from './terminal.js'

const EXIT_CODES =
  'Exit codes: 0; 1 for an unknown id, or trouble with the store; 2 for a wrong argument; 3 when something was found, such as keys that are due.'

/** Errors whose messages are for whoever typed the command. */
const KNOWN = [KeyStoreError, KeyNotFoundError, KeyStateError, CommandError]

let isFinished = false
process.on('exit', () => {
  if (!isFinished) {
    // With whatever exit code: 0 would read as an answer.
    complain('ERR_VANTAGE_UNEXPECTED', 'the process was ended before the command was; look at the module of --config')
    process.exitCode = EXIT.trouble
  } else if (isLost() && !process.exitCode) process.exitCode = EXIT.trouble
})
process.exitCode = await main(process.argv.slice(2))
isFinished = true
await endModule()

async function main(words: readonly string[]): Promise<number> {
  watchStreams()
  if (readsJson(words)) withholdNotices()
  const [first = '', second = '', ...rest] = words
  if (first === '--version') return answer(`${packageVersion()}\n`)
  // `help keys show` is `keys show --help`.
  if (first === 'help' && words.length > 1) return main([...words.slice(1, 3), '--help'])
  if (isHelp(first)) return answer(overview())
  const alone = own(COMMANDS, first)
  if (alone !== undefined) return execute(first, alone, words.slice(1))
  const group = own(GROUPS, first)
  if (group === undefined) {
    if (first === '') return refuse('a command is missing', overview())
    return refuse(noSuchCommand(first, hintFor(first)), shortUsage(''))
  }
  if (isHelp(second)) return answer(groupOverview(first))
  const command = own(group.commands, second)
  if (command !== undefined) return execute(`${first} ${second}`, command, rest)
  if (second === '') return refuse(`${first}: a command is missing`, groupOverview(first))
  const hint = didYouMean(second, Object.keys(group.commands)) || hintFor(second)
  return refuse(`${first}: ${noSuchCommand(second, hint)}`, shortUsage(`${first} `))
}

/** Not the whole help, from which the hint would scroll away. */
function shortUsage(group: string): string {
  return `Usage: vantage-auth ${group}COMMAND [options]\nMore: vantage-auth ${group}--help\n`
}

function noSuchCommand(word: string, hint: string): string {
  return `there is no such command: ${formatGiven(word)}${hint === '' ? '' : `.${hint}`}`
}

async function execute(name: string, command: Command, words: readonly string[]): Promise<number> {
  try {
    const given = readArguments(command, words)
    if (given.is('help')) return answer(formatHelp(name, command, proseColumns()))
    const code = await command.run(given)
    releaseNotices()
    return typeof code === 'number' ? code : EXIT.ok
  } catch (error) {
    const fault = faultOfArguments(error)
    if (fault !== undefined) {
      const usage = formatUsage(name, command, proseColumns(process.stderr))
      return refuse(`${name}: ${fault}`, `${usage}\nMore: vantage-auth ${name} --help\n`)
    }
    return fail(name, error)
  }
}

function answer(text: string): number {
  print(text)
  return EXIT.ok
}

function refuse(fault: string, usage: string): number {
  complain('ERR_VANTAGE_USAGE', fault)
  if (!readsJson(process.argv)) printError(`\n${usage}`)
  return EXIT.usage
}

function fail(name: string, error: unknown): number {
  if (KNOWN.some((known) => error instanceof known))
    complain(
      (error as CommandError).code,
      `${name}: ${(error as Error).message}`,
      error instanceof UnconfirmedError ? error.record : undefined,
    )
  else complain('ERR_VANTAGE_UNEXPECTED', `${name}: it failed unexpectedly; NODE_DEBUG=vantage-auth shows more`)
  if (/\bvantage-auth\b/.test(process.env.NODE_DEBUG ?? '')) {
    printError(`${withoutSecrets(inspect(error))}\n`)
  }
  return EXIT.trouble
}

/**
 * What was typed into the command line, or stands in an error of others, must put no secret into a log.
 *
 * @param record what has changed in the store all the same
 */
function complain(code: string, fault: string, record?: object): void {
  const message = printable(withoutSecrets(fault))
  printError(
    readsJson(process.argv)
      ? `${toJson({ error: { code, message, record } })}\n`
      : `${paint('red', 'vantage-auth:', process.stderr)} ${message}\n`,
  )
}

/** Whether a program reads the output. Also of arguments that are wrong, so that their error is JSON. */
function readsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return (end < 0 ? words : words.slice(0, end)).some((word) => word === '--json' || word === '--jsonl')
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h' || word === 'help'
}

/** For a word that is no command here: one that is spelt alike, here or in a group. */
function hintFor(word: string): string {
  const names = [...Object.keys(GROUPS), ...allCommands().map(([name]) => name)]
  const inGroup = names.find((name) => name.split(' ')[1] === word)
  return inGroup === undefined ? didYouMean(word, names) : ` Did you mean ${inGroup}?`
}

function overview(): string {
  const width = proseColumns()
  const entries = Object.entries({ ...GROUPS, ...COMMANDS }).map(([name, { summary }]) => [name, summary] as const)
  return `${wrap('Administers and explains the credentials that services with vantage-auth accept.', width)}

Usage: vantage-auth COMMAND [options]

${heading('Commands:')}
${formatList(entries, width, 14)}
${heading('Options:')}
${formatList(
  [
    ['--help', 'help, also for each command'],
    ['--version', 'version of the package'],
  ],
  width,
  14,
)}
${heading('Examples:')}
${formatExamples(
  [
    'vantage-auth keys create --subject user_123 --scopes jobs:read,jobs:write',
    'vantage-auth keys list',
    'vantage-auth explain < token.txt',
  ],
  width,
)}
${wrap('In a project, type npx vantage-auth.', width)}
${wrap(EXIT_CODES, width)}
`
}

function groupOverview(name: string): string {
  const width = proseColumns()
  const commands = Object.entries(own(GROUPS, name)?.commands ?? {})
  const entries = commands.map(([command, { summary }]) => [command, summary] as const)
  return `Usage: vantage-auth ${name} COMMAND [options]

${heading('Commands:')}
${formatList(entries, width, 14)}
${heading('Examples:')}
${formatExamples(
  commands.flatMap(([, { examples }]) => examples.slice(0, 1)),
  width,
)}
More: vantage-auth ${name} COMMAND --help
${wrap(EXIT_CODES, width)}
`
}

function packageVersion(): string {
  return createRequire(import.meta.url)('vantage-auth/package.json').version
}
