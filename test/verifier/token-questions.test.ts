import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { StoredTokenRevocation, TokenNames } from '../../src/store/contract.js'
import { createTokenQuestions } from '../../src/verifier/token-questions.js'

function named(tokenId: string): TokenNames {
  return { issuer: 'https://issuer.example', tokenId, subject: 'u', clientId: null }
}

function setUp(timeoutMs = 60_000) {
  const asked: { tokenId: string | null; answer(found?: StoredTokenRevocation[]): void; fail(): void }[] = []
  const ask = createTokenQuestions(
    ({ tokenId }) =>
      new Promise((resolve, reject) => {
        asked.push({ tokenId, answer: (found = []) => resolve(found), fail: () => reject(new Error('down')) })
      }),
    timeoutMs,
  )
  return { asked, ask }
}

test('one question about a token is under way at a time, and each answer is of one that began after the request', async () => {
  const { asked, ask } = setUp()
  const first = [ask(named('a')), ask(named('a'))]
  await nextTurn()
  const second = [ask(named('a')), ask(named('a'))]
  void ask(named('b')).catch(() => {})
  await nextTurn()
  expect(asked.map(({ tokenId }) => tokenId)).toEqual(['a', 'b'])
  asked[0]?.answer()
  await Promise.all(first)
  await nextTurn()
  expect(asked.map(({ tokenId }) => tokenId)).toEqual(['a', 'b', 'a'])
  const found = [{ id: 'r' } as StoredTokenRevocation]
  asked[2]?.answer(found)
  expect(await Promise.all(second)).toEqual([found, found])
})

test('at most 100 questions are under way and 1 000 requests wait; further ones are refused until there is room', async () => {
  const { asked, ask } = setUp()
  const answers = Array.from({ length: 1000 }, (_, i) => ask(named(String(i))))
  await nextTurn()
  expect(asked).toHaveLength(100)
  await expect(ask(named('late'))).rejects.toThrow('too many requests wait for the key store')
  for (let i = 0; i < 1000; i++) {
    if (asked[i] === undefined) await nextTurn()
    asked[i]?.answer()
  }
  await Promise.all(answers)
  const late = ask(named('late'))
  await nextTurn()
  asked.at(-1)?.answer()
  expect(await late).toEqual([])
})

test('silence is a failure, and while the store fails one question at a time waits for the whole time limit', async () => {
  const { asked, ask } = setUp(1000)
  await expect(ask(named('a'))).rejects.toThrow('did not answer within 1000 ms')
  const [probe, other] = [ask(named('b')), ask(named('c'))]
  await expect(other).rejects.toThrow('did not answer within 200 ms')
  asked[1]?.answer()
  expect(await probe).toEqual([])
})
