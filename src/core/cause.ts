import { withoutCredentials } from './given.js'

const LONGEST = 200
/** For whoever examines an error: messages of the package have the cure behind what is wrong. */
export const LONGEST_REPORT = 1000
/** More of a message than this is not looked at: it would be cut off anyway. */
const LONGEST_READ = 2000

/** What an error says, as {@link oneLine} shows it. It may be given anything. */
export function describeCause(error: unknown, longest = LONGEST): string {
  return oneLine(readMessage(error), longest) || 'no reason given'
}

/** A text of others as a part of one line of a log: printable characters, {@link withoutSecrets}. */
export function oneLine(text: string, longest = LONGEST): string {
  const characters = [
    ...withoutSecrets(text.slice(0, LONGEST_READ))
      .replace(/[\p{C}\p{Z}]+/gu, ' ')
      .trim(),
  ]
  return characters.length <= longest ? characters.join('') : `${characters.slice(0, longest - 1).join('')}…`
}

function readMessage(error: unknown): string {
  if (typeof error === 'string') return error
  try {
    const { message, code, errors } = (error ?? {}) as { message?: unknown; code?: unknown; errors?: unknown }
    if (typeof message === 'string' && message !== '') return message
    // Node tries each address of a name, and its error for all of them has no message.
    if (Array.isArray(errors) && errors.length > 0) return readMessage((errors as unknown[])[0])
    return typeof code === 'string' ? code : ''
  } catch {
    return 'an error that cannot be read'
  }
}

/** A text without what may be a secret: keys, tokens, the user and password of a URL, and values that are called a password. */
export function withoutSecrets(text: string): string {
  return withoutCredentials(
    text
      // Up to the last @ before a space: a password that is not percent-encoded may hold a slash.
      .replace(/\/\/[^\s/@]*(?::|%3a)\S*@/gi, '//…@')
      .replace(
        /\b(pass(?:word|wd|phrase)?|pwd|secret|token|api_?key)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi,
        '$1$2…',
      ),
  )
}
