import type { StoredKey } from './contract.js'

/** Whether a stored key still is as somebody read it, in every field. */
export function isSameKey(stored: StoredKey, read: StoredKey): boolean {
  const { scopes, ...others } = stored
  const names = Object.keys(others) as (keyof typeof others)[]
  return (
    names.every((name) => stored[name] === read[name]) &&
    scopes.length === read.scopes.length &&
    scopes.every((scope, index) => scope === read.scopes[index])
  )
}
