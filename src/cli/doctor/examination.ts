/** What `doctor` found of one thing. */
export interface Examination {
  readonly check: string
  /** Of which issuer or store; null where there is one for all. */
  readonly about: string | null
  readonly result: 'ok' | 'warning' | 'wrong' | 'not measured'
  readonly found: string
  readonly cure: string | null
}

export function ok(check: string, about: string | null, found: string): Examination {
  return { check, about, result: 'ok', found, cure: null }
}

export function warning(check: string, about: string | null, found: string, cure: string): Examination {
  return { check, about, result: 'warning', found, cure }
}

export function wrong(check: string, about: string | null, found: string, cure: string): Examination {
  return { check, about, result: 'wrong', found, cure }
}

export function notMeasured(check: string, about: string | null, found: string): Examination {
  return { check, about, result: 'not measured', found, cure: null }
}
