import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { SessionJson } from '../api-types.js'
import { storeDraft } from './draft.js'
import { takeNewPerson } from './new-person.js'
import { storePlace } from './place.js'
import { formatRoute, type Route } from './routes.js'
import { onSessionChange, sessionHasEnded } from './session-state.js'
import { texts } from './texts.js'

const t = texts.shell

/** Said for as long as this page is loaded. */
const isForNewPerson = takeNewPerson()

const VIEWS = [
  { view: 'list', text: t.keys },
  { view: 'usage', text: t.usage },
  { view: 'audit', text: t.audit },
] as const

/** What stands around every view. */
export function Shell(props: {
  readonly route: Route
  readonly session: SessionJson | undefined
  readonly children: ComponentChildren
}): JSX.Element {
  const { route, session, children } = props
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it is a link to a place in this page, whose fragments are taken by the views */}
      <a class="skip" href="#content" onClick={skip}>
        {t.skip}
      </a>
      <header class="top">
        <nav aria-label={t.navigation}>
          {VIEWS.map(({ view, text }) => (
            <a key={view} href={formatRoute({ view })} aria-current={tabOf(route) === view ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
        <p class="who">
          {session !== undefined && (
            <>
              <bdi>{session.actor}</bdi>
              <span class="quiet">{session.tenant === null ? t.allTenants : <bdi>{session.tenant}</bdi>}</span>
            </>
          )}
        </p>
      </header>
      <main id="content" tabIndex={-1}>
        <Offline />
        <SessionEnded session={session} />
        {isForNewPerson && (
          <p role="status" class="notice">
            {t.newPerson}
          </p>
        )}
        {children}
      </main>
    </>
  )
}

/** A fragment that leads to a place would be taken for a view: the focus is moved by hand. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('content')?.focus()
}

function tabOf(route: Route): (typeof VIEWS)[number]['view'] {
  return route.view === 'usage' || route.view === 'audit' ? route.view : 'list'
}

function Offline(): JSX.Element | null {
  const [offline, setOffline] = useState(!navigator.onLine)
  useEffect(() => {
    const look = (): void => setOffline(!navigator.onLine)
    addEventListener('online', look)
    addEventListener('offline', look)
    return () => {
      removeEventListener('online', look)
      removeEventListener('offline', look)
    }
  }, [])
  if (!offline) return null
  return (
    <div role="alert" class="notice bad">
      <p>
        <strong>{texts.problem.offline}</strong> {texts.problem.offlineNow}
      </p>
    </div>
  )
}

/** The view stays below with all that was entered; whoever signs in elsewhere and comes back goes on at once. */
function SessionEnded({ session }: { readonly session: SessionJson | undefined }): JSX.Element | null {
  const [ended, setEnded] = useState(sessionHasEnded)
  useEffect(() => onSessionChange(setEnded), [])
  if (!ended) return null
  return (
    <div role="alert" class="notice bad">
      <p>
        <strong>{texts.problem.session}</strong> {texts.problem.sessionDetail}
      </p>
      <a class="button" href={signInHref(session?.signInUrl ?? null)} onClick={leaveToSignIn}>
        {texts.problem.signIn}
      </a>
    </div>
  )
}

function leaveToSignIn(): void {
  storeDraft()
  storePlace()
}

/** Where to sign in, and to come back from. Without an address of its own the page is asked for, and the server knows. */
function signInHref(signInUrl: string | null): string {
  const back = location.pathname
  if (signInUrl === null) return back
  const url = new URL(signInUrl, location.href)
  // As the server writes it: the mount without its slash.
  url.searchParams.set('return_to', back.replace(/(.)\/$/, '$1'))
  return url.href
}
