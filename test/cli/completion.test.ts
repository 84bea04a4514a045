import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()
const folder = temporaryFolder()
afterAll(() => folder.remove())

/** Where it is not, the reason for skipping is printed. */
function isInstalled(shell: string): boolean {
  if (spawnSync(shell, ['--version']).status === 0) return true
  console.warn(`Skipped: ${shell} is not installed (Debian: apt-get install ${shell})`)
  return false
}

beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout, stderr, code } = await command.run(['completion', shell], { cwd: folder.path('.') })
    expect([code, stderr]).toEqual([0, ''])
    writeFileSync(folder.path(`completion.${shell}`), stdout)
  }
  writeFileSync(folder.path('key set.json'), '')
})

/** What each line, typed up to the tabulator, is completed to, and what each must not be. */
const LINES: [string[], string[], string[]][] = [
  [[''], ['keys', 'tokens', 'explain', 'completion'], ['create']],
  [
    ['keys', ''],
    ['create', 'list', 'audit'],
    ['keys', 'explain'],
  ],
  [['keys', 'r'], ['rotate', 'revoke'], ['create']],
  [['tokens', ''], ['revoke', 'list'], ['create']],
  [
    ['keys', 'list', '--s'],
    ['--state', '--subject', '--store', '--superseded-in-use'],
    ['--expires', '--json'],
  ],
  [['keys', 'list', '--state', 're'], ['revoked'], ['active']],
  [['keys', 'create', '--environment', ''], ['live', 'test'], []],
  [['explain', '--jwks', 'key'], ['key set.json'], []],
  [['completion', ''], ['bash', 'zsh', 'fish'], []],
]

describe.skipIf(!isInstalled('bash'))('bash', () => {
  function complete(words: string[]): string[] {
    const script = `source ./completion.bash; COMP_WORDS=(vantage-auth "$@"); COMP_CWORD=$#; _vantage_auth; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', script, 'bash', ...words], { cwd: folder.path('.'), encoding: 'utf8' }).split(
      '\n',
    )
  }

  test.each(LINES)('completes %j', (words, offered, absent) => {
    const found = complete(words)
    for (const word of offered) expect(found).toContain(word)
    for (const word of absent) expect(found).not.toContain(word)
  })

  test('runs nothing of what is typed', () => {
    complete(['keys', 'list', '$(touch pwned)', '`touch pwned`', '--'])
    complete(['$(touch pwned)'])
    complete(['keys', '$(touch pwned)'])
    expect(readdirSync(folder.path('.'))).not.toContain('pwned')
  })
})

describe.skipIf(!isInstalled('fish'))('fish', () => {
  test.each(LINES)('completes %j', (words, offered, absent) => {
    const script = `source ./completion.fish; complete -C "vantage-auth ${words.join(' ')}"`
    const output = execFileSync('fish', ['--no-config', '-c', script], { cwd: folder.path('.'), encoding: 'utf8' })
    const found = output.split('\n').map((line) => line.split('\t')[0]?.replaceAll('\\', ''))
    for (const word of offered) expect(found).toContain(word)
    for (const word of absent) expect(found).not.toContain(word)
  })
})

describe.skipIf(!isInstalled('zsh'))('zsh', () => {
  test('reads the script', () => {
    execFileSync('zsh', ['-n', folder.path('completion.zsh')])
  })
})

test('knows the shells that there are', async () => {
  const { stderr, code } = await command.run(['completion', 'zhs'], { cwd: folder.path('.') })
  expect([code, stderr.split('\n')[0]]).toEqual([
    2,
    'vantage-auth: completion: SHELL must be one of bash, zsh, fish. Did you mean zsh?',
  ])
})
