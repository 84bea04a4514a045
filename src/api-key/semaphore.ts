/**
 * Lets a limited number of holders in at a time. Of those that wait, the preferred ones come first, in the order in which
 * they came. Of the others the newest comes first: in order, whoever comes just after a flood would have to wait for all of it.
 */
export interface Semaphore<Holder> {
  readonly waiting: number
  /**
   * Resolves to true when the holder has a place, to false when it is sent away or has waited for `limitMs`, without end by
   * default. Never for a holder that leaves before.
   */
  enter(holder: Holder, limitMs?: number): Promise<boolean>
  /** Gives the place back, or gives up waiting for one. */
  leave(holder: Holder): void
  /**
   * Sends one of those that wait away, chosen at random, so that nobody can arrange whom it hits.
   *
   * @returns whether there was one that may go
   */
  sendOneAway(mayGo: (holder: Holder) => boolean): boolean
}

/** @param isPreferred asked each time a place gets free; by default everybody is */
export function createSemaphore<Holder>(
  count: number,
  isPreferred: (holder: Holder) => boolean = () => true,
): Semaphore<Holder> {
  const inside = new Set<Holder>()
  const queue = new Map<Holder, { timer: NodeJS.Timeout | undefined; resolve(admitted: boolean): void }>()

  function endWaiting(holder: Holder, admitted: boolean): void {
    const waiting = queue.get(holder)
    queue.delete(holder)
    clearTimeout(waiting?.timer)
    waiting?.resolve(admitted)
  }

  function nextInQueue(): Holder | undefined {
    let newest: Holder | undefined
    for (const holder of queue.keys()) {
      if (isPreferred(holder)) return holder
      newest = holder
    }
    return newest
  }

  return {
    get waiting() {
      return queue.size
    },

    async enter(holder, limitMs) {
      if (inside.size < count) {
        inside.add(holder)
        return true
      }
      return new Promise((resolve) => {
        const timer = limitMs === undefined ? undefined : setTimeout(() => endWaiting(holder, false), limitMs)
        timer?.unref()
        queue.set(holder, { timer, resolve })
      })
    },

    leave(holder) {
      clearTimeout(queue.get(holder)?.timer)
      queue.delete(holder)
      if (!inside.delete(holder) || queue.size === 0) return
      const next = nextInQueue() as Holder
      inside.add(next)
      endWaiting(next, true)
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
