/**
 * State that the ESM and the CommonJS build share where one process has both: what one of them noted, the other finds.
 *
 * @param create makes it when it is asked for the first time
 */
export function ofProcess<T extends object>(name: string, create: () => T): T {
  const holder = globalThis as unknown as Record<symbol, T | undefined>
  const key = Symbol.for(`vantage-auth.${name}`)
  holder[key] ??= create()
  return holder[key]
}

const said = ofProcess('said', () => new Set<string>())

/**
 * Whether this is the first time in the life of the process, in either build, that somebody asks for `what`.
 *
 * @param what one of a few that the caller bounds: the set of them is never emptied
 */
export function isFirst(what: string): boolean {
  if (said.has(what)) return false
  said.add(what)
  return true
}
