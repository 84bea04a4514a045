import { KEY_PREFIXES } from '../../api-key/format.js'
import type { CheckReport } from '../../token/check-report.js'

/** How one check of a credential went, in words for people. */
export interface Finding {
  readonly check: string
  /** `open`: nothing here can tell. `skipped`: a service would ask its application, and nothing here does. */
  readonly outcome: 'passed' | 'failed' | 'open' | 'skipped'
  readonly expected: string
  readonly found: string
  /** What a verifier would log, when the check failed. */
  readonly reason?: CheckReport['reason']
  /** What to do about a check that is open. */
  readonly cure?: string
}

// Of a key that stands in a token by mistake the hint is shown, which is public.
const KEY = new RegExp(`((?:${KEY_PREFIXES.join('|')})[0-9A-Za-z]{12})[0-9A-Za-z]+`, 'g')

export function findingOf({ name, passed: holds, reason, expected, found }: CheckReport): Finding {
  const shown = found.replace(KEY, '$1…')
  return holds ? passed(name, expected, shown) : failed(name, expected, shown, reason)
}

export function passed(check: string, expected: string, found: string): Finding {
  return { check, outcome: 'passed', expected, found }
}

export function failed(check: string, expected: string, found: string, reason: CheckReport['reason']): Finding {
  return { check, outcome: 'failed', expected, found, reason }
}

export function open(check: string, expected: string, found: string, cure: string): Finding {
  return { check, outcome: 'open', expected, found, cure }
}
