import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DecisionEvent } from 'vantage-auth'

/** What telemetry is told of decisions from now on, until `end()`. */
export function decisions(): { readonly events: DecisionEvent[]; end(): void } {
  const events: DecisionEvent[] = []
  const listen = (event: unknown) => void events.push(event as DecisionEvent)
  subscribe('vantage-auth:decision', listen)
  return { events, end: () => unsubscribe('vantage-auth:decision', listen) }
}
