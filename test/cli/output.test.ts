import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { rows, sql, temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>

beforeEach(() => {
  folder = temporaryFolder()
})

afterEach(() => folder.remove())

/** Runs the command with its output as the shell puts it. Resolves to its own exit code, and what was read of it. */
async function run(
  words: string[],
  redirection: string,
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string }> {
  const through = ['sh', '-c', `{ "$@"; echo $? >code; } ${redirection}`, 'sh']
  const { stdout } = await command.run(words, { cwd: folder.path('.'), through, env })
  return { code: Number(readFileSync(folder.path('code'), 'utf8')), stdout }
}

const insert = (count: number) =>
  sql(
    folder.path('vantage-auth.db'),
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO vantage_keys (id, digest, subject, environment, scopes, created_at)
     SELECT printf('k%04d', i), 'x' || i, 'many', 'live', 'jobs:read', 1750000000000 + i FROM n`,
  )

const alive = () => rows(folder.path('vantage-auth.db'), 'SELECT id FROM vantage_keys WHERE revoked_at IS NULL').length

/** A file with a key on each of so many lines. */
function writeKeys(name: string, count: number): void {
  writeFileSync(folder.path(name), Array.from({ length: count }, () => `${generateApiKey('live').key}\n`).join(''))
}

const READERS = ['| head -n 1', '| true', '2>&1 | head -c 5', '>/dev/full', '>/dev/full 2>&1', '2>/dev/full | true']

describe('what changes something finishes, whoever reads the output', () => {
  test.each(READERS)('keys revoke %s', async (redirection) => {
    await command.run(['keys', 'migrate'], { cwd: folder.path('.') })
    insert(200)
    const { code } = await run(['keys', 'revoke', '--subject', 'many', '--yes'], redirection)
    // Output that is lost to a full disk is trouble, and all is ended nevertheless.
    expect([alive(), code]).toEqual([0, redirection.startsWith('>') ? 1 : 0])
  })

  test.each(READERS)('scan --revoke %s', async (redirection) => {
    const made: string[] = []
    for (let i = 0; i < 4; i++) {
      const words = ['keys', 'create', '--subject', 's', '--scopes', 'jobs:read']
      made.push((await command.run(words, { cwd: folder.path('.') })).stdout)
    }
    writeFileSync(folder.path('leak.txt'), made.join(''))
    const { code } = await run(['scan', 'leak.txt', '--revoke', '--yes'], redirection)
    expect([alive(), code]).toEqual([0, 3])
  })
})

describe('what only reads stops when nobody reads its output', () => {
  test.each([[[]], [['--json']], [['--jsonl']]])('and scan %j says that there are keys', async (format) => {
    writeKeys('leak.txt', 5000)
    const { code, stdout } = await run(['scan', 'leak.txt', ...format], '| head -n 1')
    expect([code, stdout.split('\n').length]).toEqual([3, 2])
  })

  test('keys list reads no further page', async () => {
    await command.run(['keys', 'migrate'], { cwd: folder.path('.') })
    insert(4000)
    // Counts the documents that are written.
    writeFileSync(
      folder.path('count.mjs'),
      `import { writeFileSync } from 'node:fs'
       let count = 0
       const stringify = JSON.stringify
       JSON.stringify = (...values) => {
         if (values[0]?.subject === 'many') count++
         return stringify(...values)
       }
       process.on('exit', () => writeFileSync('count', String(count)))`,
    )
    const env = { NODE_OPTIONS: '--import ./count.mjs' }
    expect(await run(['keys', 'list', '--jsonl'], '| true', env)).toMatchObject({ code: 0 })
    expect(readFileSync(folder.path('count'), 'utf8')).toBe('1000')
    expect(await run(['keys', 'list', '--jsonl'], '| cat', env)).toMatchObject({ code: 0 })
    expect(readFileSync(folder.path('count'), 'utf8')).toBe('4000')
  })
})

test('output that a full disk takes no more is exit code 1', async () => {
  expect(await run(['--version'], '>/dev/full')).toMatchObject({ code: 1 })
  expect(await run(['--version'], '| true')).toMatchObject({ code: 0 })
})

test('a long list is printed as it is read, with one heading', async () => {
  const COUNT = 60_000
  await command.run(['keys', 'migrate'], { cwd: folder.path('.') })
  insert(COUNT)
  sql(folder.path('vantage-auth.db'), 'UPDATE vantage_keys SET name = hex(randomblob(100)), expires_at = NULL')
  // All of them together would not fit.
  const env = { NODE_OPTIONS: '--max-old-space-size=40' }
  for (const [words, headings] of [
    [['list'], 1],
    [['due'], 2],
    [['due', '--jsonl'], 0],
  ] as const) {
    const { code, stdout } = await command.run(['keys', ...words], { cwd: folder.path('.'), env })
    expect([words, code, stdout.split('\n').length - 1]).toEqual([words, words[0] === 'due' ? 3 : 0, COUNT + headings])
    expect(stdout.match(/^ID /gm) ?? []).toHaveLength(headings === 0 ? 0 : 1)
  }
})
