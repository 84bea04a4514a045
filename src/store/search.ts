import type { StoredKey } from './contract.js'

// What a search compares is written out here, character by character, and no database folds cases: each does it by rules of
// its own, for ASCII alone or for a locale.

/** How the hint of each key begins, before its environment. */
export const HINT_START = 'vak_'

/** The forms of each character of a text that count as the same. */
function formsOf(text: string): string[][] {
  return Array.from(text, (character) => {
    const forms = new Set([character])
    // A set is walked through to its end, with what is added on the way.
    for (const form of forms) {
      for (const other of [form.toLowerCase(), form.toUpperCase()]) if (isOneCharacter(other)) forms.add(other)
    }
    return [...forms]
  })
}

/** The capital of a sharp s, for example, is two. */
function isOneCharacter(text: string): boolean {
  return Array.from(text).length === 1
}

/** A pattern of SQLite's GLOB. */
export function toGlob(text: string): string {
  const isSpecial = /[*?[]/
  const written = formsOf(text).map((forms) => {
    const [first = ''] = forms
    // Of what has a second form nothing is special within brackets.
    return forms.length > 1 || isSpecial.test(first) ? `[${forms.join('')}]` : first
  })
  return `*${written.join('')}*`
}

/** A regular expression of PostgreSQL. Alternatives and no brackets, which mean bytes where a database has no encoding. */
export function toPostgresPattern(text: string): string {
  return formsOf(text)
    .map((forms) => (forms.length > 1 ? `(?:${forms.join('|')})` : escapePunctuation(forms[0] ?? '')))
    .join('')
}

function escapePunctuation(character: string): string {
  return /^[!-/:-@[-`{-~]$/.test(character) ? `\\${character}` : character
}

function toRegExp(text: string): RegExp {
  const written = formsOf(text).map((forms) => `(?:${forms.map((form) => `\\u{${codeOf(form)}}`).join('|')})`)
  return new RegExp(written.join(''), 'u')
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16)
}

/** Whether a key has the text in its name, its subject or its hint. */
export function createSearch(text: string): (key: StoredKey) => boolean {
  const pattern = toRegExp(text)
  return ({ name, subject, environment, id }) =>
    [name ?? '', subject, `${HINT_START}${environment}_${id}`].some((searched) => pattern.test(searched))
}
