import { warnOnce } from '../core/process-warning.js'
import type { RevocationRefusal } from '../core/telemetry.js'
import type { Sender } from './options.js'

const MOST_SHOWN = 5

type Words = (sender: Pick<Sender, 'audience'>) => string

/** What is most often wrong, and the cure. Nothing of the message is said: its text is its sender's. */
const CAUSES: Readonly<Partial<Record<RevocationRefusal, Words>>> = {
  audience: ({ audience }) =>
    `its aud is not ${audience.slice(0, MOST_SHOWN).join(' or ')}${audience.length > MOST_SHOWN ? ' or another of them' : ''}; set audience of this issuer to what it sends: the client id that is registered for logout, the audience of the stream, or the URL that it calls`,
  type: () =>
    'it is a token of another kind, such as an ID token, which has a nonce; have the issuer send logout tokens',
  expired: () => 'it has expired; compare the clocks, unless somebody has sent an old one again',
  too_old: () => 'it is too old; compare the clocks, unless somebody has sent an old one again',
  not_active: () => 'it is of the future; compare the clocks',
  subject_issuer: () =>
    'it names a subject of another issuer; list that one in subjectIssuers, if this one may end its tokens',
}

/**
 * A message that its issuer has signed and that is refused is most often a setting that is wrong, and nobody sees the answer
 * but the provider. Once for each configured issuer and reason.
 */
export function warnRefused(sender: Pick<Sender, 'issuer' | 'audience'>, reason: RevocationRefusal): void {
  const words = CAUSES[reason]?.(sender) ?? `its reason is ${reason}`
  warnOnce(
    'VANTAGE_REVOCATION_REFUSED',
    `${sender.issuer} has signed a message that the revocation receiver refuses, and no token is revoked: ${words}`,
    `${sender.issuer} ${reason}`,
  )
}
