import { KEY_PREFIXES } from '../src/api-key/format.js'

/** The secret of a key alone has 43 letters and digits, and an id 12. */
const LONG_RUN = /[0-9A-Za-z]{40}/

/** Whether a text has the form of an id. People paste keys where ids belong, and those go to nobody. */
export function isId(text: unknown): text is string {
  if (typeof text !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(text)) return false
  return !LONG_RUN.test(text) && !KEY_PREFIXES.some((prefix) => text.includes(prefix))
}
