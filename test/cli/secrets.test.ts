import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { memoryKeyStore } from '../../src/store/memory.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()
const folder = temporaryFolder()
afterAll(() => folder.remove())

/** Messages that name a secret, and the words of them that say what is wrong. */
const MESSAGES = [
  ['login failed for postgres://svc:hunter2@db/x, password=hunter3', 'login failed'],
  ['proxy http://u:hunter4@proxy:3128 refuses, password=hunter5', 'proxy'],
  ['no connection to postgres://u:pa/hunter6@db/x', 'no connection'],
  ['wrong password: hunter7', 'wrong password'],
] as const

const SECRET = /hunter|pa\//

const run = (words: readonly string[], input?: string) =>
  command.run(words, { cwd: folder.path('.'), env: { NODE_DEBUG: 'vantage-auth' }, input })

function module(text: string): string[] {
  writeFileSync(folder.path('auth.mjs'), text)
  return ['--config', 'auth.mjs']
}

describe.each(MESSAGES)('no secret of an error is shown: %s', (message, words) => {
  const thrown = `new Error(${JSON.stringify(message)})`

  test('of a key store of the application', async () => {
    const config = module(
      `export default { issuer: false, keys: { async find() { throw ${thrown} }, async close() {} } }`,
    )
    const { key } = generateApiKey('live')
    for (const flags of [[], ['--json']]) {
      for (const { stdout, stderr } of [
        await run(['explain', ...config, ...flags], key),
        await run(['doctor', ...config, ...flags]),
      ]) {
        expect(stdout).toContain(words)
        expect(stdout + stderr).not.toMatch(SECRET)
      }
    }
  })

  test('of a fetch of the application', async () => {
    const config = module(
      `export default { issuer: 'https://issuer.example', keys: false, async fetch() { throw ${thrown} } }`,
    )
    const { stdout, stderr } = await run(['doctor', ...config])
    expect(stdout).toContain(words)
    expect(stdout + stderr).not.toMatch(SECRET)
  })

  test('of a module, in whatever way it fails', async () => {
    for (const text of [`throw ${thrown}`, `export default async () => { throw ${thrown} }`]) {
      const { code, stderr } = await run(['explain', ...module(text)], 'a.b.c')
      expect(code).toBe(2)
      expect(stderr).toContain(`cannot be loaded: Error: ${words}`)
      expect(stderr).not.toMatch(SECRET)
    }
  })

  test('by ready() of a verifier', async () => {
    const fetch = async () => {
      throw new Error(message)
    }
    const keys = { ...memoryKeyStore(), migrate: fetch, find: fetch }
    for (const options of [
      { issuer: 'https://issuer.example', keys: false as const, fetch },
      { issuer: false as const, keys },
    ]) {
      const verifier = createVerifier({ ...options, outageNotices: false })
      const failure = await verifier.ready().then(
        () => undefined,
        (error: Error) => error,
      )
      expect(failure?.message).toContain(words)
      expect(failure?.message).not.toMatch(SECRET)
      await verifier.close()
    }
  })
})

test('what is no UTF-8 text on standard input is no credential', async () => {
  const { code, stderr } = await command.run(['explain'], { cwd: folder.path('.'), input: Buffer.from([0x61, 0xff]) })
  expect([code, stderr.split('\n')[0]]).toEqual([2, 'vantage-auth: explain: standard input is not UTF-8 text'])
})
