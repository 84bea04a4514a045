/** Lets a limited number of holders in at a time. The others wait, first come, first served. */
export interface Places<Holder> {
  readonly waiting: number
  /** Resolves when the holder has a place. It never resolves for a holder that leaves before. */
  enter(holder: Holder): Promise<void>
  /** Gives the place back, or gives up waiting for one. */
  leave(holder: Holder): void
}

export function createPlaces<Holder>(count: number): Places<Holder> {
  const inside = new Set<Holder>()
  const queue = new Map<Holder, () => void>()

  return {
    get waiting() {
      return queue.size
    },

    async enter(holder) {
      if (inside.size < count) inside.add(holder)
      else await new Promise<void>((resolve) => queue.set(holder, resolve))
    },

    leave(holder) {
      queue.delete(holder)
      if (!inside.delete(holder)) return
      for (const [next, resolve] of queue) {
        queue.delete(next)
        inside.add(next)
        resolve()
        return
      }
    },
  }
}
