import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatHelp } from '../../src/cli/help.js'
import { allCommands } from '../../src/cli/program.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
const command = shippedCommand()
const folder = temporaryFolder()
afterAll(() => folder.remove())

const vantageAuth = (words: string[], input?: string) => command.run(words, { cwd: folder.path('.'), input })

describe('docs/cli.md', () => {
  test.each(allCommands())('has the help of %s; npm run docs:cli writes it', (name, one) => {
    const section = page.split(`\n### ${name}\n`)[1]?.split('\n### ')[0] ?? ''
    expect(section).toContain(`\`\`\`text\n${formatHelp(name, one, 80)}\`\`\`\n`)
  })

  test('has the help of no command that is gone', () => {
    const documented = page.split('\n## Commands\n')[1]?.match(/(?<=^### ).+$/gm)
    expect(documented?.toSorted()).toEqual(
      allCommands()
        .map(([name]) => name)
        .toSorted(),
    )
  })

  /** The example behind the first line that begins so. */
  function exampleOf(start: string): unknown {
    const from = page.indexOf(`\n${start}`)
    if (from < 0) throw new Error(`docs/cli.md has no line that begins with ${start}`)
    return JSON.parse(/```json\n([\s\S]*?)```/.exec(page.slice(from))?.[1] ?? '')
  }

  /** The names of members, all the way down. Of an array the first element counts; `<name>` stands for a shape. */
  function shapeOf(value: unknown, shapes: Readonly<Record<string, unknown>> = {}): unknown {
    if (typeof value === 'string' && /^<.*>$/.test(value)) return shapeOf(shapes[value.slice(1, -1)])
    if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0], shapes)]
    if (typeof value !== 'object' || value === null) return 'value'
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member, shapes)]))
  }

  const shapes = { record: exampleOf('### record'), revocation: exampleOf('`tokens revoke --json`') }

  describe('tells the shape of', () => {
    let id: string

    beforeAll(async () => {
      const { stdout } = await vantageAuth(['keys', 'create', '--subject', 's', '--scopes', 'jobs:read', '--json'])
      id = JSON.parse(stdout).record.id
      await vantageAuth(['tokens', 'revoke', '--issuer', 'https://issuer.example', '--subject', 'u'])
    })

    const create = ['keys', 'create', '--subject', 's', '--scopes', 'jobs:read']

    test.each<[string, string, (string | undefined)[]]>([
      ['a new key', '`keys create --json`', create],
      ['a rotation', '`keys rotate ID --json`', ['keys', 'rotate', undefined]],
      ['a record', '### record', ['keys', 'show', undefined]],
      ['a list of keys', '`keys list --json`', ['keys', 'list']],
      ['the audit trail', '`keys audit --json`', ['keys', 'audit']],
      ['grants', '`keys grants KIND --json`', ['keys', 'grants', 'service']],
      ['a migration', '`keys migrate --json`', ['keys', 'migrate']],
      [
        'a revocation of tokens',
        '`tokens revoke --json`',
        ['tokens', 'revoke', '--issuer', 'https://issuer.example', '--subject', 'v'],
      ],
      ['a list of them', '`tokens list --json`', ['tokens', 'list']],
      ['an explanation', '`explain --json`', ['explain']],
      ['a revocation', '### record', ['keys', 'revoke', undefined]],
    ])('%s', async (_, start, words) => {
      const { stdout } = await vantageAuth([...words.map((word) => word ?? id), '--json'], 'a.b.c')
      expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(exampleOf(start), shapes))
    })

    test('a revocation of several keys, and what it would be', async () => {
      const make = async (subject: string): Promise<string> => {
        const words = ['keys', 'create', '--subject', subject, '--scopes', 'jobs:read', '--json']
        return JSON.parse((await vantageAuth(words)).stdout).record.id
      }
      const [one, before, other] = [await make('several'), await make('several'), await make('else')]
      await vantageAuth(['keys', 'revoke', before])
      const revoke = ['keys', 'revoke', one, before, 'nope', '--json', '--yes']
      const dry = JSON.parse((await vantageAuth([...revoke, '--dry-run'])).stdout)
      expect(shapeOf(dry)).toEqual(shapeOf(exampleOf('With `--dry-run` `revoked`'), shapes))
      const ended = JSON.parse((await vantageAuth([...revoke, other, '--subject', 'several'])).stdout)
      expect(shapeOf(ended)).toEqual(shapeOf(exampleOf('`keys revoke ID… --json`'), shapes))
    })

    test('an examination', async () => {
      const { stdout } = await vantageAuth(['doctor', '--store', 'sqlite:absent.db', '--json'])
      const { ok, checks } = JSON.parse(stdout)
      expect(ok).toBe(false)
      const documented = shapeOf(exampleOf('`doctor --json`'))
      for (const check of checks) expect(shapeOf({ ok, checks: [check] })).toEqual(documented)
    })

    test('a scan', async () => {
      const { key } = JSON.parse((await vantageAuth([...create, '--json'])).stdout)
      writeFileSync(folder.path('leak.txt'), key)
      const { stdout } = await vantageAuth(['scan', 'leak.txt', 'absent', '--json'])
      expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(exampleOf('`scan PATH… --json`')))
    })

    test('uses, and keys that are due', async () => {
      const { record } = JSON.parse((await vantageAuth([...create, '--expires', '1h', '--json'])).stdout)
      const due = JSON.parse((await vantageAuth(['keys', 'due', '--json'])).stdout)
      const documented = shapeOf(exampleOf('`keys due --json`'), shapes)
      expect(shapeOf({ ...due, rotation: due.expiring, unused: due.expiring })).toEqual(documented)
      const uses = JSON.parse((await vantageAuth(['keys', 'usage', record.id, '--json'])).stdout)
      expect(shapeOf({ ...uses, days: [{ day: '', count: 1 }] })).toEqual(shapeOf(exampleOf('`keys usage ID --json`')))
    })

    test('an error', async () => {
      const { stderr } = await vantageAuth(['keys', 'show', 'nope', '--json'])
      expect(JSON.parse(stderr)).toEqual(exampleOf('An error is one line'))
    })
  })
})
