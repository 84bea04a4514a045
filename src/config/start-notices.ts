import { debuglog } from 'node:util'
import { isFirst } from '../core/of-process.js'
import { warnOnce } from '../core/process-warning.js'

const debug = debuglog('vantage-auth')

/**
 * Under `NODE_DEBUG=vantage-auth`: whose tokens are accepted because nobody named an issuer or an audience. Each is
 * told once in the life of the process.
 */
export function tellDefaults(issuer: string | undefined, audience: string | undefined): void {
  const defaults: string[] = []
  if (issuer !== undefined && isFirst('default issuer'))
    defaults.push(`issuer ${issuer} (VANTAGE_ISSUER or the option issuer changes it)`)
  if (audience !== undefined && isFirst('default audience'))
    defaults.push(`audience ${audience} (VANTAGE_AUDIENCE or the option audience changes it)`)
  if (defaults.length > 0) debug(`trusted by default: ${defaults.join(', ')}`)
}

/** @param name the variable that holds the URL; the URL itself may hold a secret */
export function warnInsecureHttp(name: string): void {
  warnOnce(
    'VANTAGE_INSECURE_HTTP',
    `${name} is http outside loopback, permitted by VANTAGE_ALLOW_INSECURE_HTTP: whoever can change the traffic to the issuer can forge every access token. Use https, or a closed network.`,
  )
}

export function warnNothingAccepted(): void {
  warnOnce(
    'VANTAGE_NOTHING_ACCEPTED',
    'A verifier accepts nothing: issuer: false refuses every access token, and keys: false every API key. Configure one of them, or resolveIssuer.',
  )
}
