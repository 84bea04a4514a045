/** Whether the session has ended, as the last answer or event told. Whoever hears of it tells; views listen. */
let ended = false
const listeners = new Set<(ended: boolean) => void>()

export function sessionHasEnded(): boolean {
  return ended
}

export function noteSession(state: 'ended' | 'running'): void {
  if (ended === (state === 'ended')) return
  ended = state === 'ended'
  for (const listener of listeners) listener(ended)
}

const doubters = new Set<() => void>()

/** Something hints that another person is signed in, that nobody is, or that they may do something else now. */
export function doubtSession(): void {
  for (const ask of doubters) ask()
}

/** Calls `ask`, which finds out, at each doubt, until the function that is returned is called. */
export function onSessionDoubt(ask: () => void): () => void {
  doubters.add(ask)
  return () => doubters.delete(ask)
}

/** Calls `listener` at each change, until the function that is returned is called. */
export function onSessionChange(listener: (ended: boolean) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
