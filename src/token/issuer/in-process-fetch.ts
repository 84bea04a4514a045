// The registered symbol holds across the ESM and the CommonJS build: a test may load one, and the service that it tests the
// other.
const IN_PROCESS = Symbol.for('vantage-auth.in-process-fetch')

/**
 * Marks the `fetch` of an issuer that lives in this process, as a test's does. There is nobody to protect from a flood, so
 * a key set may be fetched for each unknown `kid` at once. The back-off after a failure stays.
 */
export function markInProcess(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return Object.defineProperty(fetch, IN_PROCESS, { value: true })
}

export function isInProcess(fetch: typeof globalThis.fetch): boolean {
  // Its own alone: one on Function.prototype would exempt the real fetch.
  return Object.hasOwn(fetch, IN_PROCESS) && Reflect.get(fetch, IN_PROCESS) === true
}
