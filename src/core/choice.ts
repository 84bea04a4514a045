/**
 * Writes a list of alternatives for messages and help texts: `a or b`, `a, b, or c`. Without `Intl.ListFormat`, which takes a
 * fifth of the time of an import to load.
 */
export function formatChoice(words: readonly string[]): string {
  if (words.length < 3) return words.join(' or ')
  return `${words.slice(0, -1).join(', ')}, or ${words.at(-1)}`
}
