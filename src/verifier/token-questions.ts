import { createSemaphore } from '../api-key/semaphore.js'
import { answerWithin } from '../core/deadline.js'
import type { KeyStore, StoredTokenRevocation, TokenNames } from '../store/contract.js'
import { createNextRun } from './next-run.js'

const MAX_UNDER_WAY = 100
const MAX_REQUESTS = 1000
/** Time limit while the store fails, for all questions but the probe, so that an outage holds up few requests. */
const FAILING_LIMIT_MS = 200

type Find = NonNullable<KeyStore['findTokenRevocations']>

/**
 * Asks a store which revocations name a token. Each answer is of a question that began after the request arrived; requests
 * for one token share it. At most 100 questions are under way at a time, and at most 1 000 requests wait.
 *
 * @returns a function that rejects when there is no answer within the time limit, or too many wait
 */
export function createTokenQuestions(
  find: Find,
  timeoutMs: number,
): (token: TokenNames) => Promise<readonly StoredTokenRevocation[]> {
  /** By the names of the token, those that requests wait for. */
  const questions = new Map<string, { readonly ask: () => ReturnType<Find>; requests: number }>()
  const semaphore = createSemaphore<object>(MAX_UNDER_WAY)
  /** `failing`: the last question failed. `probing`: one question waits the whole time limit to see whether the store still does. */
  const outage = { failing: false, probing: false }
  let requests = 0

  async function run(token: TokenNames): Promise<readonly StoredTokenRevocation[]> {
    const holder = {}
    const isProbe = outage.failing && !outage.probing
    if (isProbe) outage.probing = true
    const limitMs = outage.failing && !isProbe ? Math.min(FAILING_LIMIT_MS, timeoutMs) : timeoutMs
    try {
      const answer = semaphore.enter(holder).then(() => find(token))
      const found = await answerWithin(limitMs, 'the key store', answer)
      outage.failing = false
      return found
    } finally {
      if (isProbe) outage.probing = false
      semaphore.leave(holder)
    }
  }

  return async ({ issuer, tokenId, subject, clientId }) => {
    if (requests >= MAX_REQUESTS) throw new Error('too many requests wait for the key store')
    const name = JSON.stringify([issuer, tokenId, subject, clientId])
    const token = { issuer, tokenId, subject, clientId }
    const question = questions.get(name) ?? { ask: createNextRun(() => run(token)), requests: 0 }
    questions.set(name, question)
    question.requests++
    requests++
    try {
      return await answerWithin(timeoutMs, 'the key store', question.ask())
    } catch (error) {
      outage.failing = true
      throw error
    } finally {
      requests--
      question.requests--
      if (question.requests === 0) questions.delete(name)
    }
  }
}
