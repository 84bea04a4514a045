import { existsSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Command, type Options, readArguments } from '../../src/cli/command.js'
import { formatHelp } from '../../src/cli/help.js'
import { allCommands, GROUPS } from '../../src/cli/program.js'
import { didYouMean } from '../../src/cli/suggestion.js'
import { widthOf } from '../../src/cli/terminal.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()
const folder = temporaryFolder()
afterAll(() => folder.remove())

const vantageAuth = (words: string[], env?: Record<string, string>) =>
  command.run(words, { cwd: folder.path('.'), env })

const onTerminal = (columns: number, words: string[], env?: Record<string, string>) =>
  command.runOnTerminal(words, { cwd: folder.path('.'), columns, env })

const plain = stripVTControlCharacters

describe('arguments', () => {
  const given = (options: Options, words: string[], more: Partial<Command> = {}) =>
    readArguments({ summary: '', options, examples: [], run: async () => undefined, ...more }, words)

  test('are read as their declaration says', () => {
    const options = {
      name: { value: 'TEXT', help: '' },
      color: { value: 'NAME', choices: ['red', 'green'], default: 'red' },
      tag: { value: 'TEXT', help: '' },
      loud: { help: '' },
    }
    const read = given(options, ['a', '--loud', '--tag', 'x', '--tag=y', '--loud', 'b', '--name', 'n'], {
      operand: { name: 'PATH', least: 1, most: Number.POSITIVE_INFINITY },
    })
    expect(read.operands).toEqual(['a', 'b'])
    expect(read.operand).toBe('a')
    expect(read.text('tag')).toBe('y')
    expect([read.is('loud'), read.text('name'), read.text('color')]).toEqual([true, 'n', 'red'])
    expect(given(options, []).text('tag')).toBeUndefined()
  })

  test.each<[string, Options, string[], Partial<Command>, string]>([
    [
      'a value that is no choice',
      { color: { value: 'NAME', choices: ['red', 'green'] } },
      ['--color', 'gren'],
      {},
      '--color must be red or green. Did you mean green?',
    ],
    [
      'an option that is given twice',
      { tag: { value: 'TEXT' } },
      ['--tag', 'x', '--tag=y'],
      { refusesRepeated: true },
      '--tag is given twice',
    ],
    [
      'one with the same value',
      { tag: { value: 'TEXT' } },
      ['--tag=x', '--tag', 'x'],
      { refusesRepeated: true },
      '--tag is given twice',
    ],
    ['an option that is required', { name: { value: 'TEXT', help: '', required: true } }, [], {}, '--name is missing'],
    ['an operand that is required', {}, [], { operand: { name: 'ID' } }, 'ID is missing'],
    [
      'operands too many',
      {},
      ['a', 'b'],
      { operand: { name: 'ID', least: 0 } },
      'too many arguments: beside its options it takes [ID]',
    ],
    [
      'an operand that is no choice',
      {},
      ['fsh'],
      { operand: { name: 'SHELL', choices: ['bash', 'fish', 'zsh'] } },
      'SHELL must be one of bash, fish, zsh. Did you mean fish?',
    ],
  ])('are refused: %s', (_, options, words, more, fault) => {
    expect(() => given(options, words, more)).toThrow(fault)
  })

  test('are no option behind --, and any with --help', () => {
    const options = { tag: { value: 'TEXT' } }
    const operand = { name: 'PATH', least: 0, most: 9 }
    expect(given(options, ['--tag', 'x', '--', '--tag', 'y'], { operand }).operands).toEqual(['--tag', 'y'])
    const words = ['--tag', 'x', '--tag', 'y', '--help']
    expect(given(options, words, { refusesRepeated: true }).is('help')).toBe(true)
  })

  test('have a suggestion when they are misspelt a little, and none otherwise', () => {
    const flags = ['--expires', '--overlap', '--store']
    expect(didYouMean('--expire', flags)).toBe(' Did you mean --expires?')
    expect(didYouMean('--sotre', flags)).toBe(' Did you mean --store?')
    expect(didYouMean('--over', flags)).toBe(' Did you mean --overlap?')
    expect(didYouMean('--frobnicate', flags)).toBe('')
    expect(didYouMean('x'.repeat(1_000_000), flags)).toBe('')
  })

  test.each<[string, string[], string]>([
    [
      'a unit',
      ['keys', 'create', '--subject', 's', '--scopes', 'jobs:read', '--expires', '1z'],
      "'24h', '90d' or '1y', or never",
    ],
    ['a group', ['key', 'list'], 'there is no such command: "key". Did you mean keys?'],
    ['a command', ['keys', 'lits'], 'keys: there is no such command: "lits". Did you mean list?'],
    ['a command without its group', ['rotate', 'x'], 'there is no such command: "rotate". Did you mean keys rotate?'],
    [
      'a command of another group',
      ['keys', 'explain'],
      'keys: there is no such command: "explain". Did you mean explain?',
    ],
    [
      'an option',
      ['keys', 'create', '--expire', '90d'],
      "keys create: Unknown option '--expire'. Did you mean --expires?",
    ],
    ['a value', ['keys', 'list', '--state', 'revokd'], 'Did you mean revoked?'],
  ])('that misspell %s are told which was meant', async (_, words, fault) => {
    const { code, stdout, stderr } = await vantageAuth(words)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr.split('\n')[0]).toContain(fault)
  })
})

test.runIf(existsSync('/dev/full'))('a notice that cannot be written changes no exit code', async () => {
  const through = ['sh', '-c', '"$@" 2>/dev/full', 'sh']
  expect((await command.run(['keys', 'nonsense'], { cwd: folder.path('.'), through })).code).toBe(2)
})

describe('help', () => {
  const names = [...Object.keys(GROUPS).map((name) => [name]), ['tokens', 'revoke'], ['explain'], []]

  test.each(allCommands())('of %s tells each option, and fits into its columns', (name, one) => {
    for (const width of [60, 80, 100]) {
      const help = formatHelp(name, one, width)
      for (const line of help.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(width)
      for (const option of Object.keys(one.options)) expect(help).toContain(`\n  --${option}`)
    }
    expect(one.examples.length).toBeGreaterThan(0)
  })

  test.each(names.map((words) => [words.join(' '), words] as const))(
    'of "%s" is as wide as the terminal, and 80 columns in a pipe',
    async (_, words) => {
      const piped = await vantageAuth([...words, '--help'])
      expect([piped.code, piped.stderr]).toEqual([0, ''])
      expect(await vantageAuth(['help', ...words])).toEqual(piped)
      const narrow = await onTerminal(80, [...words, '--help'])
      expect(plain(narrow.stdout)).toBe(piped.stdout)
      for (const line of piped.stdout.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(80)
    },
  )
})

describe('an error under --json', () => {
  beforeAll(async () => {
    expect((await vantageAuth(['keys', 'migrate'])).code).toBe(0)
  })

  test.each<[string, string[], number, string, RegExp]>([
    ['no command', ['--json'], 2, 'ERR_VANTAGE_USAGE', /no such command/],
    ['an unknown command', ['keys', 'frob', '--json'], 2, 'ERR_VANTAGE_USAGE', /^keys: there is no such command/],
    ['a wrong option', ['keys', 'list', '--json', '--bogus'], 2, 'ERR_VANTAGE_USAGE', /^keys list: Unknown option/],
    ['a wrong value', ['keys', 'list', '--json', '--unused', '90'], 2, 'ERR_VANTAGE_USAGE', /^keys list: --unused /],
    ['an unknown id', ['keys', 'show', 'nope', '--json'], 1, 'ERR_VANTAGE_KEY_NOT_FOUND', /no key with the id/],
    [
      'no store',
      ['keys', 'list', '--json', '--store', 'sqlite:absent.db'],
      1,
      'ERR_VANTAGE_KEY_STORE',
      /npx vantage-auth keys migrate --store sqlite:absent.db$/,
    ],
    // Without --json there is a notice about the password.
    [
      'a store out of reach',
      ['keys', 'list', '--json', '--store', 'postgres://u:secret@127.0.0.1:1/d'],
      1,
      'ERR_VANTAGE_KEY_STORE',
      /The Postgres key store/,
    ],
  ])('is one line, and alone on standard error: %s', async (_, words, exitCode, code, message) => {
    const ended = await vantageAuth(words)
    expect([ended.code, ended.stdout]).toEqual([exitCode, ''])
    expect(ended.stderr).toMatch(/^\{.*\}\n$/)
    expect(JSON.parse(ended.stderr)).toEqual({ error: { code, message: expect.stringMatching(message) } })
    expect(ended.stderr).not.toContain('secret')
  })

  test('has no colour, on a terminal either', async () => {
    const { stdout, code } = await onTerminal(80, ['keys', 'show', 'nope', '--json'])
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { error: { code: 'ERR_VANTAGE_KEY_NOT_FOUND' } }])
  })

  test('is told from the arguments behind --', async () => {
    expect((await vantageAuth(['keys', 'show', '--', '--json'])).stderr).toMatch(
      /^vantage-auth: keys show: There is no key/,
    )
  })
})

describe('colour', () => {
  beforeAll(async () => {
    await vantageAuth(['keys', 'create', '--subject', 's', '--scopes', 'jobs:read'])
  })

  test.each<[string, boolean, Record<string, string>, boolean]>([
    ['on a terminal', true, {}, true],
    ['not in a pipe', false, {}, false],
    ['not on a terminal with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['with an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, false],
    ['in a pipe with FORCE_COLOR', false, { FORCE_COLOR: '1' }, true],
    ['not on a terminal with FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
  ])('%s', async (_, terminal, env, isColoured) => {
    for (const words of [
      ['keys', 'list'],
      ['keys', 'show', 'nope'],
    ]) {
      const { stdout, stderr } = terminal ? await onTerminal(80, words, env) : await vantageAuth(words, env)
      expect(plain(stdout + stderr) !== stdout + stderr).toBe(isColoured)
    }
  })
})

describe('on a terminal', () => {
  test.each([80, 160])('of %d columns a list fits, with every column and whole ids', async (columns) => {
    const long = 'a name of a key that goes on and on, 日本語, until no terminal shows it'
    const created = await vantageAuth([
      'keys',
      'create',
      '--subject',
      long,
      '--name',
      long,
      '--tenant',
      long,
      '--scopes',
      'jobs:read,jobs:write,clusters:read,clusters:write,teams:read',
      '--json',
    ])
    const { id } = JSON.parse(created.stdout).record
    const { stdout } = await onTerminal(columns, ['keys', 'list'])
    const lines = plain(stdout).split('\n')
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns)
    for (const title of [
      'ID',
      'STATE',
      'ENV',
      'SUBJECT',
      'NAME',
      'TENANT',
      'CREATED',
      'EXPIRES',
      'LAST USED',
      'SCOPES',
    ]) {
      expect(lines.slice(0, 2).join('\n')).toContain(title)
    }
    expect(lines.some((line) => line.startsWith(`${id}  active`))).toBe(true)
    expect(stdout).toContain('…')
    const shown = plain((await onTerminal(columns, ['keys', 'show', id])).stdout)
    for (const line of shown.split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(columns)
    expect(shown.replaceAll(/\n {2,}/g, '')).toContain(long)
  })
})

describe('a package that is not installed', () => {
  const bare = shippedCommand(['jose', 'lru-cache'])

  test('is exit code 1 and one sentence with the cure, without a usage text', async () => {
    const words = ['keys', 'list', '--store', 'postgres://u:secret@127.0.0.1:1/d']
    const { code, stdout, stderr } = await bare.run(words, { cwd: folder.path('.') })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr.split('\n').at(-2)).toBe(
      'vantage-auth: keys list: A Postgres key store needs the package pg: npm install pg',
    )
    expect(stderr).not.toMatch(/Usage:|secret/)
  })
})
