import type { AuditEntryJson } from '../api-types.js'
import { texts } from './texts.js'

const t = texts.audit

/** What entries tell besides who, what and when: see `StoredAuditEntry.detail`. */
interface Detail {
  readonly name?: unknown
  readonly scopes?: unknown
  readonly scopesBefore?: unknown
  readonly by?: unknown
}

/** How the people and keys of a sentence are shown: as texts, or as links and isolated names. */
export interface Shown<T> {
  readonly person: (actor: string) => T
  readonly key: (id: string) => T
  readonly name: (name: string) => T
}

/**
 * An entry of the audit trail as a sentence, in pieces: fixed words are texts, and what users have chosen goes through
 * `shown`, so that it stays data.
 */
export function auditSentence<T>(entry: AuditEntryJson, shown: Shown<T>): readonly (string | T)[] {
  const detail = detailOf(entry)
  const key = entry.keyId === null ? t.allKeys : shown.key(entry.keyId)
  const who = entry.actor !== null ? shown.person(entry.actor) : detail.by === 'sql' ? t.databaseUser : t.somebody
  switch (entry.action) {
    case 'create':
      return t.create(who, key)
    case 'rotate':
      return t.rotate(who, key, entry.successorId === null ? t.anotherKey : shown.key(entry.successorId))
    case 'revoke':
      return t.revoke(who, key)
    case 'edited':
      return edited(who, key, detail, shown)
    case 'revoke_tokens':
      return t.revokeTokens(who)
    case 'change':
      return t.change(key)
    case 'restore':
      return t.restore(key)
    case 'delete':
      return t.delete(key)
  }
}

function edited<T>(who: string | T, key: string | T, detail: Detail, shown: Shown<T>): readonly (string | T)[] {
  const taken = scopesTaken(detail)
  const parts: (string | T)[] = []
  if (taken.length > 0) parts.push(...t.scopesTaken(taken.join(', '), key))
  if ('name' in detail) {
    const it = parts.length > 0 ? t.it : key
    if (parts.length > 0) parts.push(t.and)
    parts.push(...(typeof detail.name === 'string' ? t.named(it, shown.name(detail.name)) : t.nameTaken(it)))
  }
  return [who, ' ', ...(parts.length > 0 ? parts : t.changed(key))]
}

function scopesTaken({ scopes, scopesBefore }: Detail): readonly string[] {
  if (typeof scopes !== 'string' || typeof scopesBefore !== 'string') return []
  const left = new Set(scopes.split(' '))
  return scopesBefore.split(' ').filter((scope) => !left.has(scope))
}

function detailOf({ detail }: AuditEntryJson): Detail {
  try {
    return (detail === null ? undefined : JSON.parse(detail)) ?? {}
  } catch {
    return {}
  }
}
