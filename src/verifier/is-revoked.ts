import type { AccessTokenAuth, Auth } from '../core/auth.js'
import { answerWithin } from '../core/deadline.js'
import { UnavailableError } from '../core/errors.js'
import { type DependencyNotice, NO_NOTICE, NO_NOTICES, type OutageNotices } from '../core/outage-notices.js'
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
  notices: OutageNotices = NO_NOTICES,
): IsRevoked {
  const notice = option === undefined ? NO_NOTICE : notices.about('isRevoked of the application', option)
  const askOption = (auth: Auth) => (option === undefined ? false : ask(option, auth, timeoutMs, notice))
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
function ask(option: IsRevoked, auth: Auth, timeoutMs: number, notice: DependencyNotice): boolean | Promise<boolean> {
  const checkAnswer = (answer: unknown): boolean => {
    if (typeof answer !== 'boolean') return fail(new TypeError('isRevoked must answer true or false'))
    notice.answered()
    return answer
  }
  const fail = (error: unknown): never => {
    notice.failed(error)
    throw new UnavailableError(error)
  }
  let answer: unknown
  try {
    answer = option(auth)
  } catch (error) {
    return fail(error)
  }
  if (typeof answer === 'boolean') return checkAnswer(answer)
  return answerWithin(timeoutMs, 'isRevoked', answer).then(checkAnswer, fail)
}
