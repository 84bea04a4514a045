import type { StoredKey } from './contract.js'

/** What the audit trail tells of an edit; `null` where neither name nor scopes differ. */
export function describeEdit(before: StoredKey, after: StoredKey): string | null {
  const [scopesBefore, scopes] = [before.scopes.join(' '), after.scopes.join(' ')]
  const edit = {
    ...(scopes !== scopesBefore && { scopesBefore, scopes }),
    ...(after.name !== before.name && { name: after.name }),
  }
  return Object.keys(edit).length === 0 ? null : JSON.stringify(edit)
}

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
