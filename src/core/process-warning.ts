import { isFirst } from './of-process.js'

/**
 * Emits a process warning of Node, at most once in the life of the process for each code, however many verifiers and
 * stores there are. It says below the text where cause and cure are described.
 *
 * @param code has a heading in docs/codes.md
 */
export function warnOnce(code: `VANTAGE_${string}`, text: string): void {
  if (!isFirst(code)) return
  process.emitWarning(text, { code, detail: `More: docs/codes.md#${code.toLowerCase()} in the package vantage-auth` })
}
