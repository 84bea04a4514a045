import { isAuthError } from '../../src/core/errors.js'
import type { Verifier } from '../../src/verifier/verifier.js'

/** What a verifier says of a bearer credential: `accepted`, the reason of a refusal, or the code of another error. */
export async function outcomeOf(verifier: Verifier, credential: string): Promise<string> {
  try {
    await verifier.authenticate({ authorization: `Bearer ${credential}` })
    return 'accepted'
  } catch (error) {
    if (!isAuthError(error)) throw error
    return error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? error.reason : error.code
  }
}

/** What a client is told, and why: `accepted`, `503`, or the status and the reason of a refusal as in `401 revoked`. */
export async function decide(verifier: Verifier, credential: string): Promise<string> {
  try {
    await verifier.authenticate({ authorization: `Bearer ${credential}` })
    return 'accepted'
  } catch (error) {
    if (!isAuthError(error)) throw error
    return error.code === 'ERR_VANTAGE_TOKEN_INVALID' ? `${error.status} ${error.reason}` : String(error.status)
  }
}
