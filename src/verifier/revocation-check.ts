import type { Auth } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import type { RevokedTokens } from './revoked-tokens.js'

type IsRevoked = (auth: Auth) => boolean | Promise<boolean>

/** Whether a verified credential is revoked: what the store says of tokens, then what the application says. */
export function createRevocationCheck(
  revokedTokens: RevokedTokens | undefined,
  isRevoked: IsRevoked | undefined,
  timeoutMs: number,
): IsRevoked {
  const askApplication = (auth: Auth) => (isRevoked === undefined ? false : askIsRevoked(isRevoked, auth, timeoutMs))
  return (auth) => {
    if (revokedTokens === undefined || auth.kind !== 'access_token') return askApplication(auth)
    const revoked = revokedTokens.has(auth)
    if (revoked instanceof Promise) return revoked.then((answer) => answer || askApplication(auth))
    return revoked || askApplication(auth)
  }
}

/**
 * Asks the application whether a verified credential is revoked.
 *
 * Whatever it throws, an AuthError of another status included, is an outage: the hook refuses by `true` alone.
 *
 * @throws {UnavailableError} (or rejects with it) for anything but a boolean within the time limit
 */
function askIsRevoked(isRevoked: IsRevoked, auth: Auth, timeoutMs: number): boolean | Promise<boolean> {
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
