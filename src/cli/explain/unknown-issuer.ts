import type { Configuration } from '../../config/options.js'
import type { CheckReport } from '../../token/check-report.js'
import { decodeObject } from '../../token/encoding.js'
import { own } from '../../token/json-object.js'
import { type Finding, open } from './finding.js'
import { differencesOf } from './issuer-differences.js'

const ASKED = ', or an https URL that resolveIssuer knows'

/** The verifier's own check says no more than that the issuer is unknown: it compares, and does not ask what is like it. */
export function nameIssuers(check: CheckReport, text: string, { issuers, resolver }: Configuration): CheckReport {
  if (check.name !== 'iss' || check.passed) return check
  if (issuers.length === 0) {
    return {
      ...check,
      expected:
        resolver === undefined
          ? 'none: the service accepts API keys only (issuer: false)'
          : `none by the options${ASKED}`,
    }
  }
  const claims = decodeObject(text.split('.')[1] ?? '')
  const iss = claims && own(claims, 'iss')
  const configured = issuers.filter(({ trustDomain }) => trustDomain === undefined).map(({ issuer }) => issuer)
  const goesBySub = claims !== null && !Object.hasOwn(claims, 'iss') && configured.length < issuers.length
  if (goesBySub || configured.length === 0) return check
  if (typeof iss !== 'string')
    return { ...check, expected: `a text, one of ${configured.map((issuer) => JSON.stringify(issuer)).join(', ')}` }
  return {
    ...check,
    expected: configured
      .map((issuer) => `${JSON.stringify(issuer)} (the token has ${differencesOf(iss, issuer)})`)
      .join(', or ')
      .concat(resolver === undefined ? '' : ASKED),
  }
}

/** Of an issuer that a service would ask its application about. */
export function notResolved({ check, expected, found }: Finding): Finding {
  const cure =
    'services refuse it unless resolveIssuer knows it, which is not called here: give what that answers for it as an entry of the option issuer'
  return open(check, expected, found, cure)
}
