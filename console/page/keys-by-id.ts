import { useEffect, useState } from 'preact/hooks'
import type { KeyJson } from '../api-types.js'
import { api } from './api.js'

/** Requests under way at once. Other requests of the page must find a connection. */
const AT_ONCE = 3
/** From here on the newest keys are asked for all at once: what a view names is mostly about them. */
const FEW = 4
const NEWEST = 100
/** Keys that one view asks for one by one. Of the others the ids are shown. */
const MAX_SINGLE = 20

/** The records of some keys, as they arrive. Those that cannot be had are absent, and so are some where many are old. */
export function useKeysById(ids: readonly string[]): ReadonlyMap<string, KeyJson> {
  const [found, setFound] = useState<ReadonlyMap<string, KeyJson>>(new Map())
  const wanted = [...new Set(ids)].join()
  useEffect(() => {
    const gone = new AbortController()
    const missing = wanted.split(',').filter((id) => id !== '' && !found.has(id))
    void fetchKeys(missing, gone.signal, (records) => {
      setFound((old) => new Map([...old, ...records.map((record) => [record.id, record] as const)]))
    })
    return () => gone.abort()
  }, [wanted])
  return found
}

/** A name is an extra: without it the id is shown, and no trouble is told. */
export async function fetchKeys(
  ids: readonly string[],
  signal: AbortSignal,
  tell: (records: readonly KeyJson[]) => void,
): Promise<void> {
  const missing = new Set(ids)
  if (missing.size > FEW) {
    const newest = await api.keys({ sort: '-created', limit: NEWEST }, signal).catch(() => undefined)
    const records = newest?.keys.filter(({ id }) => missing.delete(id)) ?? []
    if (records.length > 0 && !signal.aborted) tell(records)
  }
  const single = [...missing].slice(0, MAX_SINGLE)
  const fetchSome = async (): Promise<void> => {
    for (let id = single.shift(); id !== undefined && !signal.aborted; id = single.shift()) {
      const record = await api.key(id, signal).catch(() => undefined)
      if (record !== undefined && !signal.aborted) tell([record])
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, fetchSome))
}
