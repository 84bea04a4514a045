import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Command, readArguments, UsageError } from '../../src/cli/command.js'
import { readAnswerDuration, tellConfirmation } from '../../src/cli/confirmation.js'
import { keysCommands } from '../../src/cli/keys/keys.js'
import { tokensCommands } from '../../src/cli/tokens.js'
import type { Confirmation } from '../../src/keyring/contract.js'

const revoke = keysCommands.revoke as Command

describe('--wait', () => {
  test.each<[string[], string | undefined, string[]]>([
    [['a'], undefined, ['a']],
    [['--wait'], '5s', []],
    [['a', '--wait'], '5s', ['a']],
    [['--wait', 'a', 'b'], '5s', ['a', 'b']],
    [['--wait', '4vr9ZyvaWKKY'], '5s', ['4vr9ZyvaWKKY']],
    [['--wait', '10s', 'a'], '10s', ['a']],
    [['a', '--wait', '10m'], '10m', ['a']],
    [['--wait=10s', 'a'], '10s', ['a']],
    [['--wait', '--yes', 'a'], '5s', ['a']],
    [['--wait', '-'], '5s', ['-']],
    [['--wait', '--', '10s'], '5s', ['10s']],
    [['--', '--wait', '10s'], undefined, ['--wait', '10s']],
  ])('%j waits %s for %j', (words, wait, operands) => {
    const given = readArguments(revoke, words)
    expect(readAnswerDuration(given, 'wait')).toBe(wait)
    expect(given.operands).toEqual(operands)
  })

  test.each([
    [['--wait', '10'], '--wait must be a duration like .* A number needs a unit: 10s\\?'],
    [['--wait', '500ms'], '--wait must be a duration like'],
    [['--wait='], '--wait must be a duration like'],
    [['--wait=soon'], '--wait must be a duration like'],
    [['--wait', '0s'], '--wait must be between 1s and 10m'],
    [['--wait', '11m'], '--wait must be between 1s and 10m'],
    [['--wait=1d'], '--wait must be between 1s and 10m'],
  ])('%j is refused', (words, fault) => {
    expect(() => readAnswerDuration(readArguments(revoke, words), 'wait')).toThrow(new RegExp(`^${fault}`))
  })

  test.each([[['--wait=10s', '--wait']], [['--wait', '--wait']], [['--wait', '10s', '--wait', '10s']]])(
    '%j is given twice',
    (words) => {
      expect(() => readArguments(revoke, words)).toThrow(new UsageError('--wait is given twice'))
    },
  )

  test('is no value of the option before it', () => {
    expect(() => readArguments(revoke, ['a', '--reason', '--wait'])).toThrow(UsageError)
    expect(readArguments(revoke, ['a', '--reason=--wait']).text('reason')).toBe('--wait')
  })

  test('is known to both commands that revoke', () => {
    expect(tokensCommands.revoke?.options.wait).toEqual(revoke.options.wait)
  })
})

describe('a confirmation', () => {
  afterEach(() => vi.restoreAllMocks())

  const silent = { host: 'jobs-2', pid: 7, applicationName: 'jobs-api' }

  function told(confirmation: Confirmation | undefined, ...flags: string[]) {
    const shown = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      vi.spyOn(process[stream], 'write').mockImplementation((text) => {
        shown[stream] += text
        return true
      })
    }
    const code = tellConfirmation(readArguments(revoke, ['a', ...flags]), confirmation)
    vi.restoreAllMocks()
    return { ...shown, code }
  }

  test.each([
    [{ services: 8, confirmed: 8, lastAfterMs: 23 }, 'refused by 8 of 8 services after 23 ms\n'],
    [{ services: 1, confirmed: 1, lastAfterMs: 0 }, 'refused by 1 of 1 service after 0 ms\n'],
  ])('of all: %j', (confirmation, stdout) => {
    expect(told(confirmation)).toEqual({ stdout, stderr: '', code: 0 })
  })

  test('names those that have not answered, and is exit code 1', () => {
    const nameless = { host: null, pid: null, applicationName: null }
    const unanswered = [silent, nameless]
    const { stdout, stderr, code } = told({ services: 8, confirmed: 6, lastAfterMs: 23, unanswered })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^What was revoked stays revoked\. .* refuses the credential as soon as it reaches the store;/,
    )
    expect(stderr).not.toContain('docs/')
    expect(stdout).toBe(
      'refused by 6 of 8 services after 23 ms\nno answer from:\nAPPLICATION  HOST    PROCESS\njobs-api     jobs-2  7\n-            -       -\n',
    )
    expect(told({ services: 1, confirmed: 0, lastAfterMs: null, unanswered: [silent] }).stdout).toMatch(
      /^refused by 0 of 1 service\nno answer from:\n/,
    )
  })

  test('of nobody says so, and that another store may be meant', () => {
    const { stdout, stderr, code } = told({ services: 0, confirmed: 0, lastAfterMs: null })
    expect([stdout, code]).toEqual(['', 0])
    expect(stderr).toMatch(/^No service follows this store\. .*is it the store that they use\?/)
  })

  test('shows what a service calls itself without obeying it', () => {
    const hostile = { host: '\u001b[2Jhost', pid: 7, applicationName: 'a\nrefused by 9 of 9\u202e' }
    const { stdout } = told({ services: 1, confirmed: 0, lastAfterMs: null, unanswered: [hostile] })
    expect(stdout).toContain('a\\u{a}refused by 9 of 9\\u{202e}')
    expect(stdout).toContain('\\u{1b}[2Jhost')
    expect(stdout).not.toMatch(/[^\P{C}\n]/u)
  })

  test('says nothing beside the JSON document, and nothing where none was asked for', () => {
    const confirmation = { services: 1, confirmed: 0, lastAfterMs: null, unanswered: [silent] }
    expect(told(confirmation, '--json')).toEqual({ stdout: '', stderr: '', code: 1 })
    expect(told(undefined)).toEqual({ stdout: '', stderr: '', code: 0 })
  })
})
