import { debuglog } from 'node:util'
import { emitProcessWarning } from '../core/process-warning.js'

const debug = debuglog('vantage-auth')
const said = new Set<string>()

/** Says something once in the life of the process, however many verifiers there are. */
function once(what: string, say: () => void): void {
  if (said.has(what)) return
  said.add(what)
  say()
}

/** Under `NODE_DEBUG=vantage-auth`: whose tokens are accepted because nobody named an issuer or an audience. */
export function tellDefaults(issuer: string | undefined, audience: string | undefined): void {
  if ((issuer ?? audience) === undefined) return
  once('defaults', () => {
    const defaults = [
      ...(issuer === undefined ? [] : [`issuer ${issuer} (VANTAGE_ISSUER or the option issuer changes it)`]),
      ...(audience === undefined ? [] : [`audience ${audience} (VANTAGE_AUDIENCE or the option audience changes it)`]),
    ]
    debug(`trusted by default: ${defaults.join(', ')}`)
  })
}

/** @param name the variable that holds the URL; the URL itself may hold a secret */
export function warnInsecureHttp(name: string): void {
  once('insecure', () =>
    emitProcessWarning(
      'VANTAGE_INSECURE_HTTP',
      `${name} is http outside loopback, permitted by VANTAGE_ALLOW_INSECURE_HTTP: whoever can change the traffic to the issuer can forge every access token. Use https, or a closed network.`,
    ),
  )
}

export function warnNothingAccepted(): void {
  once('nothing', () =>
    emitProcessWarning(
      'VANTAGE_NOTHING_ACCEPTED',
      'A verifier accepts nothing: issuer: false refuses every access token, and keys: false every API key. Configure one of them.',
    ),
  )
}
