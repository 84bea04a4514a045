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

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?`
/** Between a name and its value, also in JSON that is a text in JSON. */
const ASSIGNED = String.raw`\\*["']?\s*[=:]\s*\\*`
/** They may begin anywhere in a word: `PGPASSWORD`, `client_secret`, `x-api-key`. */
const SECRET_NAME = 'pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|private|secret)[_-]?key'
/** What follows `Basic` or `Bearer` where a message speaks of the scheme. */
const OF_SCHEMES = '(?:auth|authentication|authorization|challenge|credentials?|error|realm|scheme|tokens?)'

// What is read up to an @ is bounded, so that a text without one takes no square of its length.
const SECRETS: readonly (readonly [pattern: RegExp, shown: string])[] = [
  // Up to the last @ before a space: a password that is not percent-encoded may hold a slash.
  [/\/\/[^\s/@]{0,1000}(?::|%3a)\S{0,1000}@/gi, '//…@'],
  // It may hold a space as well. What is a port is no password.
  [/\/\/[^\s/@]{0,1000}(?::|%3a)(?!\s|\d{1,5}(?:[/?#\s]|$))[^\r\n]{0,1000}@/gi, '//…@'],
  // Without a scheme; that of a URL or the drive of a path is no user.
  [/(?<![^\s/:@"'])[^\s/:@"']{2,}:(?!\/\/)[^\s@]{1,1000}@/g, '…@'],
  [new RegExp(`(authorization|cookie)(${ASSIGNED})(?:${QUOTED}|[^\\r\\n]+)`, 'gi'), '$1$2…'],
  [new RegExp(`\\b(Basic|Bearer)\\s+(?!${OF_SCHEMES}(?![\\w+/=~-]))[^\\s"']+`, 'gi'), '$1 …'],
  [new RegExp(`(${SECRET_NAME})(${ASSIGNED})(?:${QUOTED}|\\S+)`, 'gi'), '$1$2…'],
]

/**
 * A text without what may be a secret: keys, tokens, the user and password of a URL, what follows `Basic` or `Bearer`, and
 * values whose name ends in a word for a secret.
 */
export function withoutSecrets(text: string): string {
  return withoutCredentials(SECRETS.reduce((shown, [pattern, instead]) => shown.replace(pattern, instead), text))
}
