import { isFirst } from './of-process.js'

/**
 * Emits a process warning of Node, at most once in the life of the process for each code, however many verifiers and
 * stores there are. It says below the text where cause and cure are described.
 *
 * @param code has a heading in docs/codes.md
 * @param about what it is once for, in place of once for the code. What is said is never forgotten, so the caller bounds
 *   how many there are
 */
export function warnOnce(code: `VANTAGE_${string}`, text: string, about?: string): void {
  if (!isFirst(about === undefined ? code : `${code} ${about}`)) return
  process.emitWarning(text, { code, detail: `More: docs/codes.md#${code.toLowerCase()} in the package vantage-auth` })
}
