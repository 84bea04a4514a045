/** Lets a limited number of holders in at a time. The others wait, first come, first served. */
export interface Semaphore<Holder> {
  readonly waiting: number
  /** Resolves to true when the holder has a place, to false when it is sent away. Never for a holder that leaves before. */
  enter(holder: Holder): Promise<boolean>
  /** Gives the place back, or gives up waiting for one. */
  leave(holder: Holder): void
  /**
   * Sends one of those that wait away, chosen at random, so that nobody can arrange whom it hits.
   *
   * @returns whether there was one that may go
   */
  sendOneAway(mayGo: (holder: Holder) => boolean): boolean
}

export function createSemaphore<Holder>(count: number): Semaphore<Holder> {
  const inside = new Set<Holder>()
  const queue = new Map<Holder, (admitted: boolean) => void>()

  function endWaiting(holder: Holder, admitted: boolean): void {
    const resolve = queue.get(holder)
    queue.delete(holder)
    resolve?.(admitted)
  }

  return {
    get waiting() {
      return queue.size
    },

    async enter(holder) {
      if (inside.size >= count) return new Promise((resolve) => queue.set(holder, resolve))
      inside.add(holder)
      return true
    },

    leave(holder) {
      queue.delete(holder)
      if (!inside.delete(holder)) return
      for (const next of queue.keys()) {
        inside.add(next)
        endWaiting(next, true)
        return
      }
    },

    sendOneAway(mayGo) {
      const waiting = [...queue.keys()]
      const index = pickAtRandom(waiting, mayGo)
      if (index === -1) return false
      endWaiting(waiting[index] as Holder, false)
      return true
    },
  }
}

/** The index of an entry that meets the condition: the first one behind a random place. -1 when none does. */
export function pickAtRandom<T>(entries: readonly T[], meets: (entry: T) => boolean): number {
  const start = Math.floor(Math.random() * entries.length)
  for (let i = 0; i < entries.length; i++) {
    const index = (start + i) % entries.length
    if (meets(entries[index] as T)) return index
  }
  return -1
}
