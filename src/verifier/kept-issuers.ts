import { LRUCache } from 'lru-cache'
import { warnOnce } from '../core/process-warning.js'

/**
 * What is kept of issuers, up to a bound. Anybody can write a token that names one, so only a token that was verified counts
 * as a use.
 */
export interface KeptIssuers<T extends object> {
  get(iss: string): T | undefined
  /** Whether a token of it was verified while it was kept. */
  isProven(iss: string): boolean
  /** Keeps it, in place of the one before. Of those without a verified token the oldest goes. */
  set(iss: string, one: T): void
  /**
   * A token of it was verified. One that had to go meanwhile is kept again, unless another is there. Of those with a
   * verified token the one that was unused longest goes.
   */
  noteUse(iss: string, one: T): void
  delete(iss: string): void
  clear(): void
}

/**
 * @param max most that are kept. Where all of them are proven there is room for one more, whose first token is looked at
 * @param onDrop is told of each that is not kept any more, for whatever reason
 */
export function createKeptIssuers<T extends object>(max: number, onDrop: (one: T) => void = () => {}): KeptIssuers<T> {
  const proven = new LRUCache<string, T>({
    max,
    dispose: (one, _iss, reason) => {
      if (reason === 'evict') warnDropped(max)
      onDrop(one)
    },
  })
  /** In the order in which they came. */
  const unproven = new Map<string, T>()

  function dropUnproven(iss: string): void {
    const one = unproven.get(iss)
    unproven.delete(iss)
    if (one !== undefined) onDrop(one)
  }

  function makeRoom(): void {
    const room = Math.max(1, max - proven.size)
    for (const iss of unproven.keys()) {
      if (unproven.size <= room) return
      dropUnproven(iss)
    }
  }

  return {
    get: (iss) => proven.peek(iss) ?? unproven.get(iss),
    isProven: (iss) => proven.has(iss),

    set(iss, one) {
      if (proven.has(iss)) {
        proven.set(iss, one)
        return
      }
      dropUnproven(iss)
      unproven.set(iss, one)
      makeRoom()
    },

    noteUse(iss, one) {
      // Moves it to those that were used last.
      if (proven.get(iss) !== undefined) return
      const other = unproven.get(iss)
      if (other !== undefined && other !== one) return
      unproven.delete(iss)
      proven.set(iss, one)
      makeRoom()
    },

    delete(iss) {
      proven.delete(iss)
      dropUnproven(iss)
    },

    clear() {
      proven.clear()
      for (const iss of unproven.keys()) dropUnproven(iss)
    },
  }
}

function warnDropped(max: number): void {
  warnOnce(
    'VANTAGE_ISSUERS_DROPPED',
    `resolveIssuer has told of more issuers than are kept: one whose tokens were accepted has made room for another, and its key set is fetched again with its next token. Set maxIssuers, now ${max}, to more than the number of your customers.`,
  )
}
