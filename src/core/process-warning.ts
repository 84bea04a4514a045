/**
 * Emits a process warning of Node, and says below it where its cause and cure are described.
 *
 * @param code has a heading in docs/codes.md
 */
export function emitProcessWarning(code: `VANTAGE_${string}`, text: string): void {
  process.emitWarning(text, { code, detail: `More: docs/codes.md#${code.toLowerCase()} in the package vantage-auth` })
}
