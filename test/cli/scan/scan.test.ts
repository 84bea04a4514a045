import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../../src/api-key/format.js'
import { rows, temporaryFolder } from '../../store/sqlite-files.js'
import { type Circumstances, shippedCommand } from '../../support/command-line.js'

const TEST_VECTOR = 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8'
const { key: KEY, id: ID } = generateApiKey('live')
const { key: OTHER, id: OTHER_ID } = generateApiKey('test')

const command = shippedCommand()

let folder: ReturnType<typeof temporaryFolder>

beforeEach(() => {
  folder = temporaryFolder()
})

afterEach(() => folder.remove())

function write(name: string, content: string | Buffer): void {
  mkdirSync(dirname(folder.path(name)), { recursive: true })
  writeFileSync(folder.path(name), content)
}

const run = (words: string[], circumstances?: Omit<Circumstances, 'cwd'>) =>
  command.run(words, { cwd: folder.path('.'), ...circumstances })

const scan = (...words: string[]) => run(['scan', ...words])

/** Everything that was printed must be without the secret part of any key. */
function expectNoSecret({ stdout, stderr }: { stdout: string; stderr: string }): void {
  for (const key of [KEY, OTHER]) {
    expect(stdout + stderr).not.toContain(key.slice(21))
    expect(stdout + stderr).not.toContain(key.slice(0, 27))
  }
}

describe('scan', () => {
  test('tells each key by path, line, column and id, and exits 3', async () => {
    write('logs/access.log', `one\nGET /?t=Bearer%20${KEY} HTTP/1.1\r\nAPI_KEY_${OTHER}x\n`)
    write('bin', Buffer.concat([Buffer.from([0, 255, 10]), Buffer.from(KEY), Buffer.from([0])]))
    write('clean.txt', TEST_VECTOR)
    const told = await scan('logs', 'bin', 'clean.txt')
    expect(told).toMatchObject({
      code: 3,
      stdout: `logs/access.log:2:18 ${ID}\nlogs/access.log:3:9 ${OTHER_ID}\nbin:2:1 ${ID}\n`,
    })
    expect(told.stderr).toContain('3 places with a key, in 3 files')
    expectNoSecret(told)
  })

  test.each([['--json'], ['--jsonl']])('%s holds nothing that a terminal obeys', async (format) => {
    const name = 'a\u009b2J\u202eb.log'
    write(name, KEY)
    const { code, stdout } = await scan(name, format)
    expect(code).toBe(3)
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/)
    expect(stdout).toContain('a\\u009b2J\\u202eb.log')
  })

  test('tells once what is named twice', async () => {
    write('logs/a.log', KEY)
    symlinkSync('a.log', folder.path('logs/link'))
    const one = `logs/a.log:1:1 ${ID}\n`
    expect((await scan('logs/a.log', './logs/../logs/a.log', 'logs/link')).stdout).toBe(one)
    expect((await scan('logs', '.')).stdout).toBe(one)
  })

  test('exits 0 and says how much was scanned when there is none', async () => {
    write('clean.txt', TEST_VECTOR)
    expect(await scan('.')).toEqual({ code: 0, stdout: '', stderr: 'No keys in 1 file, 70 B.\n' })
  })

  test('passes over .git, links, pipes and sockets of a folder, and does not wait for them', async () => {
    write('outside.txt', KEY)
    write('tree/.git/config', KEY)
    write('tree/deep/.git', KEY)
    mkdirSync(folder.path('elsewhere'))
    write('elsewhere/file.txt', KEY)
    symlinkSync('../outside.txt', folder.path('tree/link'))
    symlinkSync('../elsewhere', folder.path('tree/folder'))
    symlinkSync('.', folder.path('tree/circle'))
    expect(spawnSync('mkfifo', [folder.path('tree/pipe')]).status).toBe(0)
    const socket = await listen(folder.path('tree/socket'))
    write('tree/.gitignore', OTHER)
    const told = await scan('tree')
    socket.close()
    expect(told).toMatchObject({ code: 3, stdout: `tree/.gitignore:1:1 ${OTHER_ID}\n` })
  })

  test('follows a link that is named, and reads whatever file is', async () => {
    write('file.txt', KEY)
    symlinkSync('file.txt', folder.path('link'))
    expect(await scan('link')).toMatchObject({ code: 3, stdout: `link:1:1 ${ID}\n` })
  })

  test.each([
    ['is not there', 'missing', () => {}],
    ['is neither a file nor a folder', '/dev/zero', () => {}],
    ['is neither a file nor a folder', 'pipe', () => spawnSync('mkfifo', [folder.path('pipe')])],
    ['is not there', 'link', () => symlinkSync('nowhere', folder.path('link'))],
  ])('a path that %s, %s, is exit 1', async (fault, path, prepare) => {
    prepare()
    const told = await scan(path)
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toContain(`Not scanned: ${path} ${fault}`)
  })

  test('a folder that may not be read is exit 1, and the others are scanned', async () => {
    write('tree/closed/file.txt', KEY)
    write('tree/open.txt', 'nothing')
    chmodSync(folder.path('tree/closed'), 0o000)
    // The superuser may read everything, so the command runs without those capabilities.
    const through =
      process.getuid?.() === 0
        ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-dac_override,-dac_read_search']
        : []
    const closed = await run(['scan', 'tree'], { through })
    chmodSync(folder.path('tree/closed'), 0o755)
    expect(closed).toMatchObject({ code: 1, stdout: '' })
    expect(closed.stderr).toContain('Not scanned: tree/closed may not be read by this user\n')
    expect(closed.stderr).toContain('No keys in 1 file')
  })

  test('a key beside a path that cannot be read is exit 3', async () => {
    write('file.txt', KEY)
    const told = await scan('missing', 'file.txt')
    expect(told).toMatchObject({ code: 3, stdout: `file.txt:1:1 ${ID}\n` })
    expect(told.stderr).toContain('Not scanned: missing is not there')
  })

  test('a name cannot write to the terminal, nor show a key', async () => {
    write(`a\n\u001b[31m/${KEY}.txt`, OTHER)
    const told = await scan('.')
    expect(told.stdout).toBe(`./a\\u{a}\\u{1b}[31m/vak_live_${ID}….txt:1:1 ${OTHER_ID}\n`)
    const json = await scan('.', '--json')
    expect(JSON.parse(json.stdout).findings[0].path).toBe(`./a\n\u001b[31m/vak_live_${ID}….txt`)
    const missing = await scan(`${KEY}.txt`)
    for (const output of [told, json, missing]) expectNoSecret(output)
  })

  test('a name that is no UTF-8 is read all the same', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${folder.path('.')}/caf`), Buffer.from([0xe9])]), KEY)
    expect(await scan('.')).toMatchObject({ code: 3, stdout: `./caf\ufffd:1:1 ${ID}\n` })
  })

  test('reads standard input, and tells a diff by its files and lines', async () => {
    const diff = `diff --git a/src/a.ts b/src/a.ts
--- a/src/a.ts
+++ b/src/a.ts
@@ -40,3 +41,3 @@
 same ${KEY}
-old ${OTHER}
+new ${OTHER}
 same
`
    const all = await run(['scan', '-'], { input: diff })
    expect(all).toMatchObject({
      code: 3,
      stdout: `src/a.ts:41:6 ${ID}\nsrc/a.ts:41:5 ${OTHER_ID}\nsrc/a.ts:42:5 ${OTHER_ID}\n`,
    })
    expect(all.stderr).toContain('1 of them in lines that a diff removes')
    const added = await run(['scan', '--added', '-'], { input: diff })
    expect(added).toMatchObject({ code: 3, stdout: `src/a.ts:42:5 ${OTHER_ID}\n` })
    write('change.patch', diff)
    expect((await scan('change.patch')).stdout).toBe(all.stdout)
    // In a folder it is a file like any other.
    expect((await scan('.')).stdout).toContain(`./change.patch:5:7 ${ID}\n`)
    expect(await run(['scan', '-'], { input: `Bearer ${KEY}` })).toMatchObject({ code: 3, stdout: `-:1:8 ${ID}\n` })
    expect(await run(['scan', '-'], { input: '' })).toMatchObject({ code: 0, stdout: '' })
  })

  test('a real diff of git', async () => {
    write('repository/src/config.ts', 'a\nb\n')
    const git = (...words: string[]) => {
      const { status, stdout } = spawnSync(
        'git',
        ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-C', folder.path('repository'), ...words],
        { encoding: 'utf8' },
      )
      expect(status).toBe(0)
      return stdout
    }
    git('init', '-q')
    git('add', '-A')
    git('commit', '-qm', 'one')
    write('repository/src/config.ts', `a\nconst key = '${KEY}'\nb\n`)
    write('repository/sp ace "é".txt', OTHER)
    git('add', '-A')
    const staged = await run(['scan', '--added', '-'], { input: git('diff', '--cached') })
    expect(staged.stdout.trim().split('\n').sort()).toEqual(
      [`sp ace "é".txt:1:1 ${OTHER_ID}`, `src/config.ts:2:14 ${ID}`].sort(),
    )
    git('commit', '-qm', 'two')
    write('repository/src/config.ts', 'a\nb\n')
    git('commit', '-qam', 'three')
    const history = await run(['scan', '--added', '-'], { input: git('log', '-p') })
    expect(history.stdout).toContain(`src/config.ts:2:14 ${ID}\n`)
  })

  test('prints JSON, and JSON lines', async () => {
    write('a.txt', `${KEY}\n`)
    const finding = { path: 'a.txt', line: 1, column: 1, id: ID, environment: 'live' }
    const json = await scan('a.txt', 'missing', '--json')
    expect(json.code).toBe(3)
    expect(JSON.parse(json.stdout)).toEqual({
      findings: [finding],
      unreadable: [{ path: 'missing', fault: 'is not there' }],
      unreadableOmitted: 0,
      files: 1,
      bytes: 71,
    })
    write('b.txt', `${KEY}\n`)
    const lines = await scan('a.txt', 'b.txt', '--jsonl')
    expect(lines).toMatchObject({ code: 3, stderr: '' })
    expect(
      lines.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([finding, { ...finding, path: 'b.txt' }])
    const none = await scan('missing', '--json')
    expect(none.code).toBe(1)
    expect(JSON.parse(none.stdout)).toMatchObject({ findings: [], files: 0 })
    expect(JSON.parse(none.stderr)).toEqual({
      error: {
        code: 'ERR_VANTAGE_SCAN_INCOMPLETE',
        message: 'scan: 1 path could not be read; the first one, missing, is not there',
      },
    })
  })

  test.each([
    [[], 'PATH is missing'],
    [[''], 'PATH is empty'],
    [['-', '-'], 'only one PATH can be -'],
    [['.', '--revoke'], '--revoke ends keys at once and for good: add --yes'],
    [['.', '--yes'], '--yes goes with --revoke'],
    [['.', '--revoke', '--yes', '--reason', ''], 'reason'],
    [['.', '--revoke', '--yes', '--reason', 'a\nb'], 'reason'],
    [['.', '--revoke', '--yes', '--actor', 'a\u009bb'], 'actor'],
    [['.', '--reason', 'x'], '--reason goes with --revoke'],
    [['.', '--json', '--jsonl'], '--json and --jsonl do not go together'],
  ])('%j is exit 2: %s', async (words, fault) => {
    const told = await scan(...words)
    expect(told).toMatchObject({ code: 2, stdout: '' })
    expect(told.stderr).toContain(fault)
  })
})

/** As whoever knows an id can write it: with a secret that is made up, and a right checksum. */
function forge(id: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const body = `vak_live_${id}${'x'.repeat(43)}`
  let rest = crc32(body)
  let checksum = ''
  for (let i = 0; i < 6; i++, rest = Math.floor(rest / 62)) checksum = digits[rest % 62] + checksum
  return body + checksum
}

describe('scan --revoke --yes', () => {
  const create = async () => {
    const { stdout } = await run(['keys', 'create', '--subject', 'user_123', '--scopes', 'jobs:read', '--json'])
    return JSON.parse(stdout) as { key: string; record: { id: string } }
  }
  const stored = () =>
    rows(folder.path('vantage-auth.db'), 'SELECT id, revoked_at, revoked_by, revoked_reason FROM vantage_keys')

  test('ends the keys whose whole text is stored, and no other', async () => {
    const leaked = await create()
    const safe = await create()
    write('a.log', `${leaked.key}\n${leaked.key}\n${forge(safe.record.id)}\n${KEY}\n`)
    const told = await scan('a.log', '--revoke', '--yes', '--actor', 'ops', '--json')
    expect(told.code).toBe(3)
    expect(JSON.parse(told.stdout).findings.map(({ id, outcome }: Record<string, string>) => [id, outcome])).toEqual([
      [leaked.record.id, 'revoked'],
      [leaked.record.id, 'revoked'],
      [safe.record.id, 'forged'],
      [ID, 'unknown'],
    ])
    const ended = stored()
    expect(ended.find(({ id }) => id === leaked.record.id)).toMatchObject({
      revoked_at: expect.any(Number),
      revoked_by: 'ops',
      revoked_reason: 'found by vantage-auth scan',
    })
    expect(ended.find(({ id }) => id === safe.record.id)).toMatchObject({ revoked_at: null })
    expect(told.stdout + told.stderr).not.toContain(leaked.key.slice(21))

    const again = await scan('a.log', '--revoke', '--yes', '--reason', 'another')
    expect(again.code).toBe(3)
    expect(again.stderr).toContain(`Key ${leaked.record.id} was revoked before.`)
    expect(again.stderr).toContain('2 of them have ended. Whoever could read the others')
    write('ended.log', leaked.key)
    const last = await scan('ended.log', '--revoke', '--yes')
    expect(last.stderr).toMatch(/All of them have ended\.$/m)
    expect(last.stderr).not.toContain('keys revoke')
    expect(again.stderr).toContain(`Key ${safe.record.id} of this store is another one than the text that was found`)
    expect(again.stderr).toContain(`Key ${ID} is not in this store`)
    expect(stored()).toEqual(ended)
  })

  test('without a store is exit 1, and nothing is scanned or created', async () => {
    write('a.log', KEY)
    const told = await scan('a.log', '--revoke', '--yes')
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toContain('There is no key store')
  })

  test('with a store that fails is exit 1, and tells the rest of the findings', async () => {
    write('a.log', `${KEY}\n${OTHER}\n`)
    const words = ['a.log', '--revoke', '--yes', '--json', '--store', 'postgres://user@127.0.0.1:1/db']
    const told = await scan(...words)
    expect(told.code).toBe(1)
    expect(JSON.parse(told.stdout).findings.map(({ outcome }: Record<string, string>) => outcome)).toEqual([
      'failed',
      'failed',
    ])
    expect(JSON.parse(told.stderr).error).toMatchObject({ code: 'ERR_VANTAGE_KEY_STORE' })
  })
})

test('the source holds the digest of the test vector, and not its text', () => {
  expect(createHash('sha256').update(TEST_VECTOR).digest('hex')).toBe(
    '2770faefe2fae2272068d40851b4370a584864ebb56938a1c15ec0e6e5cc41a1',
  )
})

function listen(path: string): Promise<Server> {
  const server = createServer()
  return new Promise((resolve) => server.listen(path, () => resolve(server)))
}
