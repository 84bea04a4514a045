import { ApiError } from './api.js'

/** How the last request went, and whether one is under way. */
export interface LoadState<T> {
  /** The last answer. It stays while a newer one is on the way, and while there is trouble. */
  readonly value: T | undefined
  readonly error: ApiError | undefined
  readonly loading: boolean
}

/** Seconds before the next attempt. */
const BACKOFF_SECONDS = [1, 2, 4, 8, 15, 30] as const

/** Asks one question of the API, again and again. */
export interface Loading {
  /**
   * Asks anew. While an answer is on the way it asks behind it: to begin anew each time would never end where news come
   * faster than answers.
   */
  reload(): void
  /** Nothing is asked or told after it. */
  close(): void
}

/**
 * Asks at once. After trouble that may pass it asks again by itself, with growing pauses.
 *
 * @param tell is given what has changed of the state
 */
export function createLoading<T>(
  load: (signal: AbortSignal) => Promise<T>,
  tell: (change: Partial<LoadState<T>>) => void,
): Loading {
  const gone = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let isBusy = false
  let again = false

  async function ask(): Promise<void> {
    clearTimeout(timer)
    isBusy = true
    again = false
    tell({ loading: true })
    try {
      const value = await load(gone.signal)
      if (gone.signal.aborted) return
      failures = 0
      tell({ value, error: undefined, loading: false })
    } catch (error) {
      if (gone.signal.aborted) return
      if (!(error instanceof ApiError)) throw error
      tell({ error, loading: false })
      if (error.trouble !== 'refused' && !again) {
        const pause = BACKOFF_SECONDS[Math.min(failures++, BACKOFF_SECONDS.length - 1)] ?? 30
        timer = setTimeout(reload, 1000 * Math.max(pause, error.retryAfterSeconds))
      }
    } finally {
      isBusy = false
      if (again && !gone.signal.aborted) void ask()
    }
  }

  function reload(): void {
    if (isBusy) again = true
    else void ask()
  }

  void ask()
  return {
    reload,
    close() {
      gone.abort()
      clearTimeout(timer)
    },
  }
}
