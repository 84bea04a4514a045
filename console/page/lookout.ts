import { useEffect, useState } from 'preact/hooks'
import { useEvery, useKeyEvents } from './live.js'

/** After a request without an answer: how long its key may still appear. A key store that hung may write it late. */
export const LOOKOUT_MS = 60_000
const LOOK_EVERY_MS = 3000

/**
 * Calls `look` every three seconds, and when keys have changed, until an instant by the clock of the browser.
 *
 * @param until `undefined` for not at all
 * @returns whether that instant is still to come
 */
export function useLookout(until: number | undefined, look: () => void): boolean {
  const [endedAt, setEndedAt] = useState<number>()
  const looking = until !== undefined && endedAt !== until
  useEffect(() => {
    if (until === undefined) return
    const timer = setTimeout(() => {
      look()
      setEndedAt(until)
    }, until - Date.now())
    return () => clearTimeout(timer)
  }, [until])
  useEvery(LOOK_EVERY_MS, () => {
    if (looking) look()
  })
  useKeyEvents(() => {
    if (until !== undefined) look()
  })
  return looking
}
