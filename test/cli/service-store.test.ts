import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateApiKey } from '../../src/api-key/format.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { temporaryFolder } from '../store/sqlite-files.js'
import { shippedCommand } from '../support/command-line.js'

const command = shippedCommand()
const folder = temporaryFolder()
const { key } = generateApiKey('live')

afterAll(() => folder.remove())

beforeAll(() => {
  writeFileSync(folder.path('memory.mjs'), "export default { issuer: false, keys: 'memory:' }")
  writeFileSync(folder.path('none.mjs'), 'export default { issuer: "https://issuer.example", keys: false }')
  writeFileSync(folder.path('unnamed.mjs'), 'export default { issuer: false }')
})

const run = (words: string[], env: Record<string, string> = {}) =>
  command.run(words, { cwd: folder.path('.'), env, input: key })

describe.each([
  ['an option', 'memory.mjs', {}, 'keys is memory:'],
  ['the environment', 'unnamed.mjs', { VANTAGE_KEY_STORE: 'memory:' }, 'VANTAGE_KEY_STORE is memory:'],
])('a store in memory, by %s', (_, path, env, because) => {
  test('is nothing that doctor finds wrong, since a service starts with it', async () => {
    await createVerifier({ issuer: false, keys: 'memory:' }).close()
    const { code, stdout, stderr } = await run(['doctor', '--config', path, '--json'], env)
    expect([code, stderr]).toEqual([0, ''])
    const { checks } = JSON.parse(stdout)
    expect(checks).toContainEqual({
      check: 'store',
      about: null,
      result: 'ok',
      found: `${because}, which begins empty and ends with the service`,
      cure: null,
    })
  })

  test('leaves the answer of explain open', async () => {
    const { code, stdout } = await run(['explain', '--config', path], env)
    expect(code).toBe(1)
    expect(stdout).toContain(`undecided because ${because}`)
    expect(stdout).toContain('only the service can tell')
  })
})

test.each([
  ['the option keys is false', 'none.mjs', {}],
  ['VANTAGE_KEY_STORE is false', 'unnamed.mjs', { VANTAGE_KEY_STORE: 'false' }],
])('where %s, explain does not send anybody to compare stores', async (because, path, env) => {
  const { code, stdout } = await run(['explain', '--config', path, '--json'], env)
  expect([code, JSON.parse(stdout)]).toEqual([
    1,
    expect.objectContaining({
      summary: `refused because ${because} (unknown)`,
      cure: 'the service takes no API keys: send an access token, or name a store in keys (VANTAGE_KEY_STORE)',
    }),
  ])
})
