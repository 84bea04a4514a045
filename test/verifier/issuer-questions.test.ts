import { describe, expect, test, vi } from 'vitest'
import { createIssuerQuestions, NoRoomError } from '../../src/verifier/issuer-questions.js'
import { A, entryOf, setUp } from '../support/resolving.js'

/** Questions to an application that answers when the test says so. */
function setUpQuestions(timeoutMs = 60_000) {
  const put: string[] = []
  const answers: ((value: unknown) => void)[] = []
  const closing = new AbortController()
  const questions = createIssuerQuestions(
    (iss) => {
      put.push(iss)
      if (iss === 'at once') return 'here'
      // biome-ignore lint/suspicious/noThenProperty: what an application could answer
      if (iss === 'twice') return { then: (give: (value: unknown) => void) => ['x', 'y'].forEach(give) }
      return new Promise((resolve) => answers.push(resolve))
    },
    timeoutMs,
    closing.signal,
  )
  const ask = async (iss: string, mayWait = false) => await questions.ask(iss, mayWait)
  const fill = () => Array.from({ length: 100 }, (_, n) => ask(`x${n}`).catch(() => {}))
  return { put, answers, closing, ask, fill }
}

describe('where there is no room', () => {
  test('a question that may wait is the next, and others are refused', async () => {
    const { put, answers, ask, fill } = setUpQuestions()
    fill()
    const known = ask('known', true)
    await expect(ask('stranger')).rejects.toThrow(NoRoomError)
    expect(put).toHaveLength(100)
    answers[7]?.('x')
    await vi.waitFor(() => expect(put).toHaveLength(101))
    // Its room went to the one that waited.
    await expect(ask('stranger')).rejects.toThrow('too many questions')
    expect(put.at(-1)).toBe('known')
    answers[100]?.('good')
    expect(await known).toBe('good')
  })

  test('those that wait come in turn, and one that is answered at once lets the next come', async () => {
    const { put, answers, ask, fill } = setUpQuestions()
    fill()
    const waiting = ['at once', 'second', 'third'].map((iss) => ask(iss, true))
    answers[0]?.('x')
    expect(await waiting[0]).toBe('here')
    expect(put.slice(100)).toEqual(['at once', 'second'])
  })

  test('one that is answered twice gives its room back once', async () => {
    const { answers, ask, fill } = setUpQuestions(30)
    await Promise.all(fill())
    answers[0]?.('late')
    await vi.waitFor(async () => expect(await ask('twice')).toBe('x'))
    await expect(ask('last')).rejects.toThrow('no answer within 30 ms')
    await expect(ask('stranger')).rejects.toThrow(NoRoomError)
  })

  test('waiting ends with the time limit and with the verifier, and is no failure of the application', async () => {
    const { put, ask, fill, answers } = setUpQuestions(30)
    fill()
    await expect(ask('known', true)).rejects.toThrow(NoRoomError)
    answers[0]?.('x')
    expect(put).toHaveLength(100)
    const other = setUpQuestions()
    other.fill()
    const waiting = other.ask('known', true)
    other.closing.abort(new Error('closed'))
    await expect(waiting).rejects.toThrow('closed')
  })
})

describe('a question that was given up', () => {
  test('holds its room until the application has answered', async () => {
    const { answers, ask, fill, put } = setUpQuestions(30)
    await Promise.all(fill())
    await expect(ask('stranger')).rejects.toThrow(NoRoomError)
    answers[3]?.('late')
    await vi.waitFor(() => expect(answers).toHaveLength(100))
    await expect(ask('stranger')).rejects.toThrow('no answer within 30 ms')
    expect(put).toHaveLength(101)
  })

  test('may be asked again, five times at once at most', async () => {
    const { answers, ask, put } = setUpQuestions(10)
    for (let n = 0; n < 5; n++) await expect(ask('silent')).rejects.toThrow('no answer')
    await expect(ask('silent', true)).rejects.toThrow('too many questions about this issuer')
    await expect(ask('other')).rejects.toThrow('no answer')
    answers[0]?.('late')
    await vi.waitFor(() => expect(ask('silent')).rejects.toThrow('no answer'))
    expect(put).toHaveLength(7)
  })
})

test('invented issuers are not in the way of one that is known when its time is over', async () => {
  const answers: (() => void)[] = []
  const { outcome, issuerOf, clock } = setUp(
    (iss) => (iss === A ? entryOf(issuer) : new Promise((resolve) => answers.push(() => resolve(undefined)))),
    { issuerTtlSeconds: 60 },
  )
  const issuer = issuerOf()
  const token = issuer.mint()
  expect(await outcome(token)).toBe('accepted')
  clock.now += 60_000
  const flood = Array.from({ length: 100 }, (_, n) => outcome(issuer.mint({ iss: `https://x${n}.example` })))
  const waiting = outcome(token)
  answers[50]?.()
  expect(await waiting).toBe('accepted')
  for (const answer of answers) answer()
  expect(new Set(await Promise.all(flood))).toEqual(new Set(['401 issuer']))
})
