/** The public part of a key, and behind it the beginning of the secret one. */
const KEY = /(vak_[a-z]{1,16}_[0-9A-Za-z]{12})[0-9A-Za-z]+/g
/** A key without its prefix, or only its secret part: no name has so many letters and digits without a break. */
const BARE = /[0-9A-Za-z]{43,}/g
/** Characters of id, secret and checksum together. */
const BARE_LENGTH = 61
const ID_LENGTH = 12

/**
 * A text that somebody has typed or pasted, without the secret part of any key in it. Every text that leaves a field goes
 * through this first: people paste keys where a name belongs, and to search for them.
 */
export function withoutSecrets(text: string): { readonly text: string; readonly removed: boolean } {
  const clean = text
    .replace(KEY, '$1')
    .replace(BARE, (run) => (run.length === BARE_LENGTH ? run.slice(0, ID_LENGTH) : ''))
  return { text: clean, removed: clean !== text }
}
