import type { StoredKey } from './contract.js'

// Patterns cost the length of the text times that of the name, for each key: who searches could hold a store up. So letters
// are brought to one form, and the text is looked up as it is. Which letters is written out here, since the databases fold
// cases each by rules of its own, for ASCII alone or for a locale.

/** How the hint of each key begins, before its environment. */
export const HINT_START = 'vak_'

/** Letters beyond ASCII that are folded. Each costs a pass over all names; no word has as many. */
const MAX_LETTERS = 40

/** A text to search for. */
export interface Search {
  /** The text, with each letter in the form that counts. */
  readonly text: string
  /** Forms beyond ASCII of the letters of the text, and what each counts as. The capitals A to Z count as a to z besides. */
  readonly folded: readonly (readonly [form: string, as: string])[]
}

export function readSearch(given: string): Search {
  const folded = new Map<string, string>()
  const letters = [...new Set(given)].filter((letter) => letter > '\x7f' && formsOf(letter).length > 1)
  for (const letter of letters.slice(0, MAX_LETTERS)) {
    const as = foldLetter(letter)
    for (const form of formsOf(letter)) if (form > '\x7f' && form !== as) folded.set(form, as)
  }
  const search = { text: '', folded: [...folded] }
  return { ...search, text: fold(given, search) }
}

function fold(text: string, { folded }: Pick<Search, 'folded'>): string {
  const lower = text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
  return folded.reduce((written, [form, as]) => written.replaceAll(form, as), lower)
}

/** The forms of a character that count as the same. */
function formsOf(character: string): string[] {
  const forms = new Set([character])
  // A set is walked through to its end, with what is added on the way.
  for (const form of forms) {
    for (const other of [form.toLowerCase(), form.toUpperCase()]) if (isOneCharacter(other)) forms.add(other)
  }
  return [...forms]
}

/** The one of the forms that all others lead to: a second fold changes nothing. */
function foldLetter(letter: string): string {
  const upper = letter.toUpperCase()
  const capital = isOneCharacter(upper) ? upper : letter
  const lower = capital.toLowerCase()
  return isOneCharacter(lower) ? lower : capital
}

/** The capital of a sharp s, for example, is two. */
function isOneCharacter(text: string): boolean {
  return Array.from(text).length === 1
}

/** What a search looks at. */
export type SearchedKey = Pick<StoredKey, 'id' | 'name' | 'subject' | 'environment'>

/** Whether a key has the text in its name, its subject or its hint. */
export function createSearch(given: string): (key: SearchedKey) => boolean {
  const search = readSearch(given)
  return ({ name, subject, environment, id }) =>
    [name ?? '', subject, `${HINT_START}${environment}_${id}`].some((text) => fold(text, search).includes(search.text))
}
