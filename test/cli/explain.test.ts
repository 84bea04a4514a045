import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import type { Keyring } from '../../src/keyring/contract.js'
import { createKeyring } from '../../src/keyring/keyring.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { sql, temporaryFolder } from '../store/sqlite-files.js'
import { type ChildOutput, outputOf } from '../support/child-output.js'
import { createTestIssuer, type TestIssuer } from '../support/tokens.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = temporaryFolder()

/** Runs `vantage-auth explain` as a process. The credential goes to its standard input, and must not come out anywhere. */
async function explain(input: string, ...flags: string[]): Promise<ChildOutput> {
  return explainWith({}, input, ...flags)
}

async function explainWith(env: NodeJS.ProcessEnv, input: string, ...flags: string[]): Promise<ChildOutput> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), 'explain', ...flags], {
    cwd: ROOT,
    env: { ...process.env, VANTAGE_KEY_STORE: '', VANTAGE_ISSUER: '', VANTAGE_AUDIENCE: '', ...env },
  })
  child.stdin.end(input)
  const ended = await outputOf(child)
  for (const part of input.replace(/^Bearer /, '').split('.')) {
    // Of a key the id is public: what comes after it is not.
    const secret = part.startsWith('vak_') ? part.slice(21) : part
    if (secret.length >= 16) expect(ended.stdout + ended.stderr).not.toContain(secret.slice(0, 16))
  }
  return ended
}

function failures({ stdout }: ChildOutput): string[] {
  return stdout.split('\n').filter((line) => line.startsWith('FAIL'))
}

afterAll(() => folder.remove())

describe('of an access token', () => {
  let issuer: TestIssuer
  let server: Server
  let keySet: string
  let requests: string[] = []

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request.url ?? '')
      const metadata = { issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks` }
      response.end(JSON.stringify(request.url === '/jwks' ? issuer.jwks : metadata))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    issuer = createTestIssuer({ issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    keySet = folder.path('jwks.json')
    writeFileSync(keySet, JSON.stringify(issuer.jwks))
  })

  afterAll(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })

  test('prints every check in its order and exits 0 for one that would be accepted', async () => {
    const { code, stdout, stderr } = await explain(
      `Bearer ${issuer.mint()}\n`,
      '--issuer',
      issuer.issuer,
      '--jwks',
      keySet,
    )
    expect([code, stderr]).toEqual([0, ''])
    const names = stdout.split('\n').flatMap((line) => /^ok {4}(\S+)/.exec(line)?.[1] ?? [])
    const order = [
      'shape',
      'encoding',
      'header',
      'typ',
      'alg',
      'payload',
      'iss',
      'key',
      'signature',
      'aud',
      'exp',
      'sub',
      'cnf',
    ]
    expect(names.filter((name) => order.includes(name)).filter((name, i, all) => all.indexOf(name) === i)).toEqual(
      order,
    )
    expect(stdout).toMatch(/^accepted as user_123 with .+; .+\n\naccess token\nok {4}shape/)
    expect(stdout.split('\n').slice(1).join()).not.toMatch(/something else|another|null|it is/)
    expect(requests).toEqual([])
  })

  test('says what was expected and what was found, for each check that fails', async () => {
    const token = issuer.mint({ aud: 'https://other.example', exp: 1_700_000_000 })
    const explained = await explain(token, '--issuer', issuer.issuer, '--jwks', keySet)
    expect(explained.code).toBe(1)
    expect(failures(explained)).toEqual([
      expect.stringMatching(/^FAIL {2}aud +expected one of \["https:\/\/api\.vantage\.omnivector\.solutions"\]$/),
      expect.stringMatching(/^FAIL {2}exp +expected later than /),
    ])
    expect(explained.stdout).toContain('found    "https://other.example"')
    expect(explained.stdout).toContain('found    2023-11-14T22:13:20.000Z, ')
    expect(explained.stdout).toMatch(
      /^refused because it is for "https:\/\/other\.example" \(audience\); .+VANTAGE_AUDIENCE/,
    )
  })

  test('leaves the answer open without keys, and does not call that accepted', async () => {
    const { code, stdout } = await explain(issuer.mint(), '--issuer', issuer.issuer)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^\? {5}signature +expected made by one of the issuer's keys$/m)
    expect(stdout).toMatch(/^undecided because its signature is not verified; add --fetch/)
    expect(requests).toEqual([])
  })

  test('fetches the keys of the configured issuer when asked to', async () => {
    requests = []
    const { code } = await explain(issuer.mint(), '--issuer', issuer.issuer, '--fetch')
    expect(code).toBe(0)
    expect(requests).toEqual(['/.well-known/oauth-authorization-server', '/jwks'])
  })

  test('fetches nothing for a token of another issuer', async () => {
    requests = []
    const stranger = createTestIssuer({ issuer: 'https://stranger.example' })
    const explained = await explain(stranger.mint(), '--issuer', issuer.issuer, '--fetch')
    expect([explained.code, requests]).toEqual([1, []])
    expect(failures(explained)).toEqual([expect.stringMatching(/^FAIL {2}iss /)])
  })

  test('says that a signature is of another key', async () => {
    const forger = createTestIssuer({ issuer: issuer.issuer, kid: 'forged' })
    const forged = forger.mint({}, { kid: issuer.kid })
    const { code, stdout } = await explain(forged, '--issuer', issuer.issuer, '--jwks', keySet, '--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'access token', verdict: 'refused', reason: 'signature' })
  })

  test('says that the store has revoked it', async () => {
    const url = `sqlite:${folder.path('revoked.db')}`
    const token = issuer.mint({ jti: 'stolen' })
    const keyring = createKeyring(url)
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'another' })
    const flags = ['--issuer', issuer.issuer, '--jwks', keySet, '--store', url]
    expect((await explain(token, ...flags)).code).toBe(0)
    await keyring.revokeTokens({ issuer: issuer.issuer, tokenId: 'stolen' })
    await keyring.close()
    const explained = await explain(token, ...flags)
    expect([explained.code, failures(explained)]).toEqual([
      1,
      [expect.stringMatching(/^FAIL {2}revoked +expected no$/)],
    ])
  })

  test('asks no store where the services have none', async () => {
    const flags = ['--issuer', issuer.issuer, '--jwks', keySet]
    const { code, stderr } = await explainWith({ VANTAGE_KEY_STORE: 'false' }, issuer.mint(), ...flags)
    expect([code, stderr]).toEqual([0, ''])
  })

  test('shows no character of a claim that could move the cursor', async () => {
    const token = issuer.mint({ aud: '\u001b[2J\u202eevil' })
    const { stdout } = await explain(token, '--issuer', issuer.issuer, '--jwks', keySet)
    expect(stdout).not.toMatch(/[^\n\x20-\x7E]/)
  })
})

describe('of an API key', () => {
  const url = `sqlite:${folder.path('keys.db')}`
  let keyring: Keyring

  beforeAll(() => {
    keyring = createKeyring(url)
  })

  afterAll(() => keyring.close())

  test('looks it up in the store, and exits 0 for one that would be accepted', async () => {
    const { key, record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    const { code, stdout } = await explain(key, '--store', url)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^accepted as user_123 with jobs:read \(key \w{12}\); .+\n\nAPI key\n/)
    await keyring.revoke(record.id)
    const revoked = await explain(`Authorization: Bearer ${key}`, '--store', url)
    expect(revoked.stdout).toMatch(/^refused because it is revoked \(revoked\); create another one/)
    expect([revoked.code, failures(revoked)]).toEqual([1, [expect.stringMatching(/^FAIL {2}revoked +expected no$/)]])
  })

  test('says that a key is mistyped, or of the other environment', async () => {
    const { key } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    const mistyped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
    expect(failures(await explain(mistyped, '--store', url))).toEqual([expect.stringMatching(/^FAIL {2}checksum /)])
    const other = await explain(key, '--store', url, '--environment', 'test')
    expect(failures(other)).toEqual([
      expect.stringMatching(/^FAIL {2}environment +expected test, as the service is configured$/),
    ])
  })

  test('says that the row of a key is of another environment, as a service would', async () => {
    const { key, record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    sql(folder.path('keys.db'), `UPDATE vantage_keys SET environment = 'test' WHERE id = '${record.id}'`)
    const verifier = createVerifier({ issuer: false, keys: url, cache: false })
    const refusal = await Promise.resolve(verifier.authenticate({ authorization: `Bearer ${key}` })).catch((e) => e)
    await verifier.close()
    expect(refusal).toMatchObject({ reason: 'environment' })
    const explained = await explain(key, '--store', url, '--json')
    expect(explained.code).toBe(1)
    expect(JSON.parse(explained.stdout)).toMatchObject({ verdict: 'refused', reason: 'environment' })
  })

  test('leaves the answer open where services cannot read the row, and answer 503', async () => {
    const { key, record } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    const change = `UPDATE vantage_keys SET environment = 'elsewhere' WHERE id = '${record.id}'`
    sql(folder.path('keys.db'), `PRAGMA ignore_check_constraints = ON; ${change}`)
    const { code, stdout } = await explain(key, '--store', url)
    expect([code, stdout]).toEqual([1, expect.stringContaining('a key whose environment is not what StoredKey says')])
  })

  test('says that services without a store refuse every key', async () => {
    const { key } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    const { code, stdout } = await explainWith({ VANTAGE_KEY_STORE: 'false' }, key, '--json')
    expect([code, JSON.parse(stdout).reason]).toEqual([1, 'unknown'])
  })

  test('leaves the answer open where the store does not exist, and creates none', async () => {
    const { key } = await keyring.create({ subject: 'user_123', scopes: ['jobs:read'] })
    const { code, stdout } = await explain(key, '--store', `sqlite:${folder.path('absent.db')}`)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^\? {5}store /m)
  })
})

test('names the flag of a wrong option', async () => {
  for (const [flag, value] of [
    ['--issuer', 'example'],
    ['--audience', ','],
    ['--profile', 'strict'],
    ['--environment', 'prod'],
  ] as const) {
    const { code, stderr } = await explain('vak_live_x', flag, value)
    expect([code, stderr]).toEqual([2, expect.stringMatching(`^vantage-auth: explain: ${flag} (must|is) `)])
  }
})

test('takes the credential from standard input alone', async () => {
  const empty = await explain('')
  expect([empty.code, empty.stdout]).toEqual([2, ''])
  expect(empty.stderr).toContain('standard input is empty')
  const argument = await explain('', 'vak_live_Cvr9ZyvaWKKYwpeJ62eF0j8C8xyH6vCWyo4xGvNPDouCeE05Qt7GMSZ12pFd8')
  expect([argument.code, argument.stdout]).toEqual([2, ''])
  expect(argument.stderr).not.toContain('wpeJ62eF')
})

test('shows no API key that stands in a header or a claim of a token', async () => {
  const { key } = generateApiKey('live')
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  for (const [header, claims] of [
    [{ alg: 'ES256', typ: key }, {}],
    [{ alg: 'ES256', typ: 'at+jwt' }, { iss: key }],
    [{ alg: key, typ: 'at+jwt' }, {}],
  ]) {
    for (const flags of [[], ['--json']]) {
      const { stdout, stderr } = await explain(`${part(header)}.${part(claims)}.AAAA`, ...flags)
      expect(stdout).not.toBe('')
      expect(stdout + stderr).not.toContain(key.slice(21, 33))
    }
  }
})

test('takes no key set from a pipe, a device, or a file that is too long', async () => {
  const pipe = folder.path('pipe')
  execFileSync('mkfifo', [pipe])
  const long = folder.path('long.json')
  writeFileSync(long, `${' '.repeat(256 * 1024)}{"keys":[]}`)
  for (const path of [pipe, '/dev/zero', long, folder.path('.')]) {
    const { code, stderr } = await explain('x', '--jwks', path)
    expect([code, stderr]).toEqual([2, expect.stringContaining('--jwks must name a file of at most 256 KiB')])
  }
})
