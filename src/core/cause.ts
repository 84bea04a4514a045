import { withoutSecrets } from './given.js'

const LONGEST = 200
/** More of a message than this is not looked at: it would be cut off anyway. */
const LONGEST_READ = 2000

/** What an error says, as {@link oneLine} shows it. It may be given anything. */
export function describeCause(error: unknown): string {
  return oneLine(readMessage(error)) || 'no reason given'
}

/**
 * A text of others as a part of one line of a log: at most 200 printable characters. Without what may be a secret: keys,
 * tokens, the user and password of a URL, and values that are called a password.
 */
export function oneLine(text: string): string {
  const characters = [
    ...hideSecrets(text.slice(0, LONGEST_READ))
      .replace(/[\p{C}\p{Z}]+/gu, ' ')
      .trim(),
  ]
  return characters.length <= LONGEST ? characters.join('') : `${characters.slice(0, LONGEST - 1).join('')}…`
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

function hideSecrets(text: string): string {
  return withoutSecrets(
    text
      // Up to the last @ before a space: a password that is not percent-encoded may hold a slash.
      .replace(/\/\/[^\s/@]*(?::|%3a)\S*@/gi, '//…@')
      .replace(
        /\b(pass(?:word|wd|phrase)?|pwd|secret|token|api_?key)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi,
        '$1$2…',
      ),
  )
}
