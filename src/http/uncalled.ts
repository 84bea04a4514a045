/**
 * Names the mistake of passing a function without calling it: `app.use(requireScope)` for `app.use(requireScope('jobs:read'))`.
 * The framework then calls it with the request, which holds the credential: the message shows nothing of what was given.
 *
 * @param given arguments that can be neither objects nor functions where the function is called as it should be
 * @param cure how it is written
 * @throws {TypeError} for an object, a list excepted, or a function among them
 */
export function refuseUncalled(caller: string, given: readonly unknown[], cure: string): void {
  if (!given.some(isObjectOrFunction)) return
  throw new TypeError(`${caller} was passed without being called, or was given what it does not take: write ${cure}`)
}

function isObjectOrFunction(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null && !Array.isArray(value))
}
