import { expect, test } from 'vitest'
import type { AuditEntryJson } from '../../console/api-types.js'
import { auditSentence } from '../../console/page/audit-sentence.js'

const ENTRY: AuditEntryJson = {
  seq: 1,
  at: '2026-11-25T12:00:00.000Z',
  action: 'create',
  keyId: 'Cvr9ZyvaWKKY',
  successorId: null,
  actor: 'ada',
  reason: null,
  detail: null,
  subject: 'user_123',
  tenant: 'acme',
}

/** The sentence, with brackets around all that users have chosen. */
function sentence(entry: Partial<AuditEntryJson>): string {
  const shown = (text: string) => `[${text}]`
  return auditSentence({ ...ENTRY, ...entry }, { person: shown, key: shown, name: shown }).join('')
}

test.each<[string, Partial<AuditEntryJson>]>([
  ['[ada] created [Cvr9ZyvaWKKY]', {}],
  ['Somebody created [Cvr9ZyvaWKKY]', { actor: null }],
  ['[ada] replaced [Cvr9ZyvaWKKY] by [4dcF0m3vXq2T]', { action: 'rotate', successorId: '4dcF0m3vXq2T' }],
  ['[ada] replaced [Cvr9ZyvaWKKY] by another key', { action: 'rotate' }],
  ['[ada] revoked [Cvr9ZyvaWKKY]', { action: 'revoke' }],
  [
    'Somebody, by hand in the database, revoked [Cvr9ZyvaWKKY]',
    { action: 'revoke', actor: null, detail: '{"by":"sql"}' },
  ],
  ['[ada] revoked access tokens', { action: 'revoke_tokens', keyId: null, detail: '{"issuer":"https://x"}' }],
  [
    '[ada] took jobs:write, teams:read from [Cvr9ZyvaWKKY]',
    { action: 'edited', detail: '{"scopes":"jobs:read","scopesBefore":"jobs:read jobs:write teams:read"}' },
  ],
  ['[ada] named [Cvr9ZyvaWKKY] [<img src=x>]', { action: 'edited', detail: '{"name":"<img src=x>"}' }],
  ['[ada] took the name from [Cvr9ZyvaWKKY]', { action: 'edited', detail: '{"name":null}' }],
  [
    '[ada] took jobs:write from [Cvr9ZyvaWKKY] and named it [CI]',
    { action: 'edited', detail: '{"name":"CI","scopes":"jobs:read","scopesBefore":"jobs:read jobs:write"}' },
  ],
  ['[ada] changed [Cvr9ZyvaWKKY]', { action: 'edited', detail: 'no JSON' }],
  ['[ada] changed [Cvr9ZyvaWKKY]', { action: 'edited', detail: 'null' }],
  ['[Cvr9ZyvaWKKY] was changed by hand in the database', { action: 'change', actor: null }],
  ['[Cvr9ZyvaWKKY] was restored by hand in the database', { action: 'restore', actor: null }],
  ['Every key was deleted by hand in the database', { action: 'delete', actor: null, keyId: null }],
])('%s', (expected, entry) => {
  expect(sentence(entry)).toBe(expected)
})
