import type { SessionJson } from './api-types.js'

/**
 * With this header a page says whom it takes itself to be. In another tab somebody else may have signed in since it was
 * loaded, and the cookie is theirs.
 */
export const CALLER_HEADER = 'vantage-console-caller'

/** The value of that header, in ASCII whatever the names are. */
export function formatCaller({ actor, tenant, subject }: Pick<SessionJson, 'actor' | 'tenant' | 'subject'>): string {
  return encodeURIComponent(JSON.stringify([actor, tenant, subject]))
}
