import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './api.js'
import { onSessionChange } from './session-state.js'

/** What a view shows of something that the API has. */
export interface Loaded<T> {
  /** The last answer. It stays while a newer one is on the way, and while there is trouble. */
  readonly value: T | undefined
  readonly error: ApiError | undefined
  readonly loading: boolean
  readonly reload: () => void
}

/** Seconds before the next attempt. */
const BACKOFF_SECONDS = [1, 2, 4, 8, 15, 30] as const

/**
 * Loads when the view appears and when one of `inputs` changes. While there is trouble that may pass, it tries again by
 * itself: with growing pauses, when the browser is online again, and when somebody has signed in.
 */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({ value: undefined, error: undefined, loading: true })
  const [turn, setTurn] = useState(0)
  const failures = useRef(0)
  const reload = useCallback(() => setTurn((count) => count + 1), [])

  // Not after the next paint: the first request need not wait for a picture of nothing.
  useLayoutEffect(() => {
    const gone = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    setState((old) => ({ ...old, loading: true }))
    load(gone.signal).then(
      (value) => {
        failures.current = 0
        if (!gone.signal.aborted) setState({ value, error: undefined, loading: false })
      },
      (error: unknown) => {
        if (gone.signal.aborted) return
        if (!(error instanceof ApiError)) throw error
        setState((old) => ({ ...old, error, loading: false }))
        if (error.trouble === 'refused') return
        const pause = BACKOFF_SECONDS[Math.min(failures.current++, BACKOFF_SECONDS.length - 1)] ?? 30
        timer = setTimeout(reload, 1000 * Math.max(pause, error.retryAfterSeconds))
      },
    )
    return () => {
      gone.abort()
      clearTimeout(timer)
    }
  }, [...inputs, turn])

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
