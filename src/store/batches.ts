/** Most questions of one statement. */
const MAX_QUESTIONS = 100

/**
 * Asks a question of a store. Questions that come while the permitted statements are under way go together into the next
 * one: while the change feed is down each request asks, and that is more than two connections answer one by one.
 *
 * @param answerAll asks one statement, and resolves to what answers each of the questions
 * @param maxStatements how many may be under way at a time
 * @param gather for a store that answers at once: how long the questions behind one gather before they are asked
 */
export function createBatches<Question, Answer>(
  answerAll: (questions: readonly Question[]) => Promise<(question: Question) => Answer>,
  maxStatements: number,
  gather?: () => Promise<unknown>,
): (question: Question) => Promise<Answer> {
  const waiting: { question: Question; resolve(answer: Answer): void; reject(error: unknown): void }[] = []
  let statements = 0

  async function askForAll(): Promise<void> {
    statements++
    while (waiting.length > 0) {
      const asked = waiting.splice(0, MAX_QUESTIONS)
      try {
        const answer = await answerAll(asked.map(({ question }) => question))
        for (const { question, resolve } of asked) resolve(answer(question))
      } catch (error) {
        for (const { reject } of asked) reject(error)
      }
      await gather?.()
    }
    statements--
  }

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject })
      if (statements < maxStatements) void askForAll()
    })
}
