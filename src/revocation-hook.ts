import type { Auth } from './auth.js'
import { answerWithin } from './deadline.js'
import { UnavailableError } from './errors.js'

/**
 * Asks the application whether a verified credential is revoked.
 *
 * Whatever it throws, an AuthError of another status included, is an outage: the hook refuses by `true` alone.
 *
 * @throws {UnavailableError} (or rejects with it) for anything but a boolean within the time limit
 */
export function askIsRevoked(
  isRevoked: (auth: Auth) => boolean | Promise<boolean>,
  auth: Auth,
  timeoutMs: number,
): boolean | Promise<boolean> {
  let answer: unknown
  try {
    answer = isRevoked(auth)
  } catch (error) {
    throw new UnavailableError(error)
  }
  if (typeof answer === 'boolean') return answer
  return answerWithin(timeoutMs, 'isRevoked', answer).then(checkAnswer, (error: unknown) => {
    throw new UnavailableError(error)
  })
}

function checkAnswer(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new UnavailableError(new TypeError('isRevoked must answer true or false'))
}
