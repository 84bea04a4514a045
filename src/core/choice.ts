const ENGLISH = new Intl.ListFormat('en', { type: 'disjunction' })

/** Writes a list of alternatives for messages and help texts: `a or b`, `a, b, or c`. */
export function formatChoice(words: readonly string[]): string {
  return ENGLISH.format(words)
}
