import type { JSX } from 'preact'
import type { ApiError } from '../api.js'
import { texts } from '../texts.js'

const t = texts.problem

/**
 * What went wrong, and what can be done. That the session has ended, or that the browser is offline, is told above the view,
 * once.
 */
export function Problem(props: {
  readonly error: ApiError | undefined
  readonly retry?: () => void
}): JSX.Element | null {
  const { error, retry } = props
  if (error === undefined || error.trouble === 'session') return null
  const { trouble } = error
  if (trouble === 'offline' && !navigator.onLine) return null
  return (
    <div role="alert" class="notice bad">
      <p>
        <strong>{t[trouble]}</strong> {trouble === 'offline' ? t.offlineDetail : detailOf(error)}{' '}
        {trouble !== 'refused' && (retry === undefined ? t.tryLater : t.triesAgain)}
      </p>
      {retry !== undefined && (
        <button type="button" onClick={retry}>
          {t.tryAgain}
        </button>
      )}
    </div>
  )
}

/** The server's sentence, where it says more than the title. */
function detailOf({ trouble, message }: ApiError): string {
  return trouble === 'unavailable' || message === '' ? '' : /[.!?]$/.test(message) ? message : `${message}.`
}
