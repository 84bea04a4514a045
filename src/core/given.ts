/**
 * Whether a message may repeat a text that somebody gave: it is short, and no part of it could be a part of a secret. People
 * paste API keys, also without their prefix, where an id, a scope or the name of an option belongs.
 */
export function mayBeRepeated(text: string): boolean {
  return /^[\x20-\x7e]{0,32}$/.test(text) && !LONG_BASE62.test(text)
}

/** How a message shows a value that it was given: a harmless text as it is, anything else by its kind. */
export function formatGiven(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
  return mayBeRepeated(value) ? JSON.stringify(value) : `a text of ${value.length} characters`
}

// Ids have 12 characters, and no scope has a word of more than 20. A whole key has 61 after its prefix.
const LONG_BASE62 = /[0-9A-Za-z]{21}/

/** A text without keys, tokens and their parts: what has the prefix of a key, and long runs of letters and digits. */
export function withoutCredentials(text: string): string {
  return (
    text
      .replace(/vak_\w{8,}/g, 'vak_…')
      // A token is base64url. Names of tables and options that messages contain are shorter; the shortest signature has 43.
      .replace(/[\w.-]{40,}/g, (run) => (isHostName(run) ? run : '…'))
      .replace(/[0-9A-Za-z]{21,}/g, (run) => (isOptionName(run) ? run : '…'))
  )
}

/** Hosts of cloud providers are long. A token has capitals, which its first letters alone make sure of. */
function isHostName(run: string): boolean {
  return run.split('.').length > 2 && /^(?:[a-z0-9-]{1,39}\.)+[a-z]{2,20}$/.test(run)
}

/**
 * Names of options such as `clockToleranceSeconds`, also misspelt ones: words of three letters and more, each with one
 * capital. Of 21 random letters and digits fewer than one in 10 000 look like that, and hardly any of 61.
 */
function isOptionName(run: string): boolean {
  return run.length <= 32 && /^[a-z]{3,12}(?:[A-Z][a-z]{2,11}){1,5}$/.test(run)
}
