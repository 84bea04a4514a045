import type { AccessTokenAuth, Auth } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import type { RevocationList } from './revocation-list.js'

export type IsRevoked = (auth: Auth) => boolean | Promise<boolean>

/**
 * Whether a verified credential is revoked. Of access tokens the store's list is asked first; of every credential that is
 * not on it, the application's `isRevoked` option. Where the application took time to answer, the list is asked once more:
 * the token may have been revoked meanwhile.
 */
export function createIsRevoked(
  list: RevocationList | undefined,
  option: IsRevoked | undefined,
  timeoutMs: number,
): IsRevoked {
  const askOption = (auth: Auth) => (option === undefined ? false : ask(option, auth, timeoutMs))
  if (list === undefined) return askOption

  const askOptionThenList = (auth: AccessTokenAuth) => {
    const answer = askOption(auth)
    return answer instanceof Promise ? answer.then((revoked) => revoked || list.has(auth)) : answer
  }
  return (auth) => {
    if (auth.kind !== 'access_token') return askOption(auth)
    const listed = list.has(auth)
    if (listed instanceof Promise) return listed.then((answer) => answer || askOptionThenList(auth))
    return listed || askOptionThenList(auth)
  }
}

/**
 * Asks the application. Only `true` refuses a credential: whatever the function throws is an outage, even an AuthError of
 * another status.
 *
 * @throws {UnavailableError} (or rejects with it) for anything but a boolean within the time limit
 */
function ask(option: IsRevoked, auth: Auth, timeoutMs: number): boolean | Promise<boolean> {
  let answer: unknown
  try {
    answer = option(auth)
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
