#!/usr/bin/env node
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { KeyNotFoundError, KeyStateError, KeyStoreError } from '../core/errors.js'
import { withoutSecrets } from '../core/given.js'
import { type Command, faultOfArguments, formatHelp, readArguments } from './command.js'
import { explain } from './explain.js'
import { keysCommands } from './keys.js'
import { printable } from './terminal.js'
import { tokensCommands } from './tokens.js'

/** The commands that stand alone. */
const COMMANDS: Readonly<Record<string, Command>> = { explain }

/** The commands by group. */
const GROUPS: Readonly<
  Record<string, { readonly summary: string; readonly commands: Readonly<Record<string, Command>> }>
> = {
  keys: { summary: 'create, look at, rotate and revoke API keys', commands: keysCommands },
  tokens: { summary: 'revoke access tokens', commands: tokensCommands },
}

const EXIT_CODES = `Exit codes: 0; 1 for an unknown id, keys that are due, or trouble with the store; 2 for a wrong argument.
`

process.exitCode = await main(process.argv.slice(2))

async function main(words: string[]): Promise<number> {
  // A reader that stops early, such as head(1), is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  const [groupName = '', commandName = '', ...rest] = words
  if (groupName === '--version') {
    process.stdout.write(`${packageVersion()}\n`)
    return 0
  }
  if (isHelp(groupName)) return answer(overview())
  const alone = Object.hasOwn(COMMANDS, groupName) ? COMMANDS[groupName] : undefined
  if (alone !== undefined) return execute(groupName, alone, words.slice(1))
  const group = Object.hasOwn(GROUPS, groupName) ? GROUPS[groupName] : undefined
  if (group === undefined) return refuse(groupName ? 'there is no such command' : 'a command is missing', overview())
  if (isHelp(commandName)) return answer(groupOverview(groupName))
  const command = Object.hasOwn(group.commands, commandName) ? group.commands[commandName] : undefined
  if (command === undefined) {
    return refuse(
      `${groupName}: ${commandName ? 'there is no such command' : 'a command is missing'}`,
      groupOverview(groupName),
    )
  }
  return execute(`${groupName} ${commandName}`, command, rest)
}

async function execute(name: string, command: Command, words: string[]): Promise<number> {
  try {
    const given = readArguments(command, words)
    if (given.is('help')) return answer(formatHelp(command))
    const code = await command.run(given)
    return typeof code === 'number' ? code : 0
  } catch (error) {
    const fault = faultOfArguments(error)
    if (fault !== undefined) {
      return refuse(`${name}: ${fault}`, `Usage: vantage-auth ${command.synopsis}\nMore: vantage-auth ${name} --help\n`)
    }
    const known = error instanceof KeyStoreError || error instanceof KeyNotFoundError || error instanceof KeyStateError
    complain(`${name}: ${known ? error.message : 'it failed unexpectedly; NODE_DEBUG=vantage-auth shows more'}`)
    if (/\bvantage-auth\b/.test(process.env.NODE_DEBUG ?? ''))
      process.stderr.write(`${withoutSecrets(inspect(error))}\n`)
    return 1
  }
}

function answer(help: string): number {
  process.stdout.write(help)
  return 0
}

function refuse(fault: string, usage: string): number {
  complain(fault)
  process.stderr.write(`\n${usage}`)
  return 2
}

/** A key that was typed into the command line must not appear in a log, whatever the message quotes. */
function complain(fault: string): void {
  process.stderr.write(`vantage-auth: ${printable(withoutSecrets(fault))}\n`)
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h' || word === 'help'
}

function overview(): string {
  const lines = Object.entries({ ...GROUPS, ...COMMANDS }).map(
    ([name, { summary }]) => `  ${name.padEnd(8)} ${summary}\n`,
  )
  return `Administers and explains the credentials that services with vantage-auth accept.

Usage: vantage-auth COMMAND [options]

Commands:
${lines.join('')}
Options:
  --help     help, also for each command
  --version  version of the package

Examples:
  vantage-auth keys create --subject user_123 --scopes jobs:read,jobs:write
  vantage-auth keys list
  vantage-auth explain < token.txt

${EXIT_CODES}`
}

function groupOverview(name: string): string {
  const commands = Object.entries(GROUPS[name]?.commands ?? {})
  const examples = commands.flatMap(([, { help }]) => /^ {2}vantage-auth .*$/m.exec(help) ?? [])
  return `Usage: vantage-auth ${name} COMMAND [options]

Commands:
${commands.map(([command, { summary }]) => `  ${command.padEnd(8)} ${summary}\n`).join('')}
Examples:
${examples.join('\n')}

More: vantage-auth ${name} COMMAND --help
${EXIT_CODES}`
}

function packageVersion(): string {
  return createRequire(import.meta.url)('vantage-auth/package.json').version
}
