/** Control and format characters, and ends of lines, that JSON leaves as they are and a terminal obeys. */
const OBEYED = /[\x7f-\x9f\p{Cf}\u2028\u2029]/gu

/**
 * A value as JSON that a terminal shows as it is: an escape sequence, or an order of reading, in a name of a file or of a
 * key does nothing. Whoever parses it has the characters again.
 */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(OBEYED, codesOf)
}

/** By code units: JSON writes a character beyond the first plane as two. */
function codesOf(character: string): string {
  return Array.from({ length: character.length }, (_, i) => {
    const unit = character.charCodeAt(i).toString(16).padStart(4, '0')
    return `\\u${unit}`
  }).join('')
}
