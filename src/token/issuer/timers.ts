/** A signal that aborts after a time or with another signal, whichever comes first. `clear` releases its timer. */
export function deadlineAfter(ms: number, closing: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController()
  const close = () => controller.abort(closing.reason)
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${ms} ms`)), ms)
  timer.unref()
  if (closing.aborted) close()
  else closing.addEventListener('abort', close, { once: true })
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer)
      closing.removeEventListener('abort', close)
    },
  }
}

/** Waits. Ends early, without an error, when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms)
    timer.unref()
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
