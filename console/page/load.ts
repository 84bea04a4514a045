import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { createLoading, type Loading, type LoadState } from './loading.js'
import { onSessionChange } from './session-state.js'

/** What a view shows of something that the API has. */
export interface Loaded<T> extends LoadState<T> {
  readonly reload: () => void
}

/**
 * Loads when the view appears and when one of `inputs` changes. While there is trouble that may pass, it tries again by
 * itself: with growing pauses, when the browser is online again, and when somebody has signed in.
 */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<LoadState<T>>({ value: undefined, error: undefined, loading: true })
  const current = useRef<Loading>(undefined)
  const reload = useCallback(() => current.current?.reload(), [])

  // Not after the next paint: the first request need not wait for a picture of nothing.
  useLayoutEffect(() => {
    const loading = createLoading(load, (change) => setState((old) => ({ ...old, ...change })))
    current.current = loading
    return () => loading.close()
  }, inputs)

  const failed = state.error !== undefined
  useEffect(() => {
    if (!failed) return
    const stop = onSessionChange((ended) => {
      if (!ended) reload()
    })
    const online = (): void => {
      setState((old) => ({ ...old, error: undefined }))
      reload()
    }
    addEventListener('online', online)
    return () => {
      stop()
      removeEventListener('online', online)
    }
  }, [failed, reload])

  return { ...state, reload }
}
