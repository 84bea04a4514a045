import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { StoreFailure } from '../../src/api-key/store-queue.js'
import type { StoredTokenRevocation, TokenNames } from '../../src/store/contract.js'
import { createTokenQuestions } from '../../src/verifier/token-questions.js'

function named(tokenId: string): TokenNames {
  const names = { subject: 'u', subjects: ['u'], clientId: null, sessionId: null }
  return { issuer: 'https://issuer.example', tokenId, ...names }
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
  const sentAway = ask(named('late'))
  await expect(sentAway).rejects.toThrow('too many requests wait for the key store')
  await expect(sentAway).rejects.not.toBeInstanceOf(StoreFailure)
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

/** What a failure of the store itself looks like. */
function failure(message: string) {
  return { constructor: StoreFailure, cause: { message } }
}

test('silence is a failure, and while the store fails one question at a time waits for the whole time limit', async () => {
  const { asked, ask } = setUp(1000)
  await expect(ask(named('a'))).rejects.toMatchObject(failure('the key store did not answer within 1000 ms'))
  const [probe, other] = [ask(named('b')), ask(named('c'))]
  await expect(other).rejects.toMatchObject(failure('the key store did not answer within 200 ms'))
  asked[1]?.answer()
  expect(await probe).toEqual([])
})

test('a store that rejects has failed', async () => {
  const { asked, ask } = setUp()
  const answer = ask(named('a'))
  await nextTurn()
  asked[0]?.fail()
  await expect(answer).rejects.toMatchObject(failure('down'))
})

test('to wait in vain for a turn is no failure of the store, nor does it hurry the questions after it', async () => {
  const { asked, ask } = setUp(1000)
  const settled = Promise.allSettled(Array.from({ length: 300 }, (_, i) => ask(named(String(i)))))
  const answerAll = () => {
    for (const { answer } of asked.splice(0)) answer()
  }
  await nextTurn()
  await sleep(600)
  answerAll()
  // Two hundred have had their turn when the others have waited for the whole time limit.
  await sleep(600)
  answerAll()
  const outcomes = await settled
  expect(outcomes.slice(0, 200).every(({ status }) => status === 'fulfilled')).toBe(true)
  const late = outcomes.slice(200).map((outcome) => (outcome as PromiseRejectedResult).reason)
  expect(new Set(late.map(String))).toEqual(new Set(['Error: too many look-ups wait for the key store']))
  expect(late.some((error) => error instanceof StoreFailure)).toBe(false)

  const slow = [ask(named('slow')), ask(named('slow as well'))]
  await sleep(500)
  answerAll()
  expect(await Promise.all(slow)).toEqual([[], []])
})

test('who asks while the question waits for its turn shares it', async () => {
  const { asked, ask } = setUp()
  const others = Array.from({ length: 100 }, (_, i) => ask(named(String(i))))
  const early = ask(named('a'))
  await nextTurn()
  const late = ask(named('a'))
  for (const { answer } of asked) answer()
  await Promise.all(others)
  await nextTurn()
  asked[100]?.answer()
  expect(await Promise.all([early, late])).toEqual([[], []])
  expect(asked).toHaveLength(101)
})

test('a question keeps its place until the store has answered it: 100 are asked, however many come', async () => {
  const { asked, ask } = setUp(50)
  const outcomes = (name: string) =>
    Promise.all(Array.from({ length: 300 }, (_, i) => ask(named(`${name} ${i}`)).catch(() => 'none')))
  for (const name of ['first', 'second']) expect(await outcomes(name)).toEqual(Array(300).fill('none'))
  expect(asked).toHaveLength(100)
  asked[0]?.answer()
  asked[1]?.fail()
  await nextTurn()
  const answers = [ask(named('a')), ask(named('b'))]
  await nextTurn()
  expect(asked.map(({ tokenId }) => tokenId).slice(100)).toEqual(['a', 'b'])
  for (const { answer } of asked) answer()
  expect(await Promise.all(answers)).toEqual([[], []])
})
