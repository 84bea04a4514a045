import { createStoreQueue } from '../api-key/store-queue.js'
import { type DependencyNotice, NO_NOTICE } from '../core/outage-notices.js'
import type { KeyStore, StoredTokenRevocation, TokenNames } from '../store/contract.js'
import { createNextRun } from './next-run.js'

const MAX_REQUESTS = 1000

type Find = NonNullable<KeyStore['findTokenRevocations']>

/**
 * Asks a store which revocations name a token. Each answer is of a question that began after the request arrived; requests
 * for one token share it, and one question about a token is waited for at a time. At most 100 questions are under way at a
 * time, and at most 1 000 requests wait: each `timeoutMs` at most for the question before it, for its turn and for the answer.
 *
 * @returns a function that rejects with a {@link StoreFailure} when the store itself fails, and with another error when too
 *   many wait
 */
export function createTokenQuestions(
  find: Find,
  timeoutMs: number,
  notice: DependencyNotice = NO_NOTICE,
): (token: TokenNames) => Promise<readonly StoredTokenRevocation[]> {
  /** By the names of the token, those that requests wait for. */
  const questions = new Map<string, { readonly ask: () => ReturnType<Find>; requests: number }>()
  const queue = createStoreQueue<object>(timeoutMs, undefined, notice)
  let requests = 0

  function createQuestion(token: TokenNames): () => ReturnType<Find> {
    return createNextRun((begin) =>
      queue.ask({}, async (noteAnswer) => {
        begin()
        const found = await find(token)
        noteAnswer()
        return found
      }),
    )
  }

  return async (token) => {
    if (requests >= MAX_REQUESTS) throw new Error('too many requests wait for the key store')
    const { issuer, tokenId, subjects, clientId, sessionId } = token
    const name = JSON.stringify([issuer, tokenId, subjects, clientId, sessionId])
    const question = questions.get(name) ?? { ask: createQuestion(token), requests: 0 }
    questions.set(name, question)
    question.requests++
    requests++
    try {
      return await question.ask()
    } finally {
      requests--
      question.requests--
      if (question.requests === 0) questions.delete(name)
    }
  }
}
