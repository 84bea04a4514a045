import { useEffect, useState } from 'preact/hooks'
import type { KeyJson } from '../api-types.js'
import { api } from './api.js'

/** Requests under way at once. Other requests of the page must find a connection. */
const AT_ONCE = 3

/** The records of some keys, one after the other as they arrive. Those that cannot be had are absent. */
export function useKeysById(ids: readonly string[]): ReadonlyMap<string, KeyJson> {
  const [found, setFound] = useState<ReadonlyMap<string, KeyJson>>(new Map())
  const wanted = [...new Set(ids)].join()
  useEffect(() => {
    const gone = new AbortController()
    const missing = wanted.split(',').filter((id) => id !== '' && !found.has(id))
    const fetchSome = async (): Promise<void> => {
      for (let id = missing.shift(); id !== undefined && !gone.signal.aborted; id = missing.shift()) {
        // A name is an extra: without it the id is shown, and no trouble is told.
        const record = await api.key(id, gone.signal).catch(() => undefined)
        if (record !== undefined) setFound((old) => new Map(old).set(record.id, record))
      }
    }
    for (let i = 0; i < AT_ONCE; i++) void fetchSome()
    return () => gone.abort()
  }, [wanted])
  return found
}
