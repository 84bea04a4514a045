import type { JSX } from 'preact'
import { useEffect, useLayoutEffect } from 'preact/hooks'
import { actFor, actsFor, api } from './api.js'
import { startLive } from './live.js'
import { useLoad } from './load.js'
import { noteNewPerson } from './new-person.js'
import { Problem } from './parts/problem.js'
import { isHeld, useRoute } from './router.js'
import { formatRoute, type Route } from './routes.js'
import { doubtSession, onSessionChange, onSessionDoubt } from './session-state.js'
import { Shell } from './shell.js'
import type { ViewProps } from './view.js'
import { Audit } from './views/audit.js'
import { Generate } from './views/generate.js'
import { Key } from './views/key.js'
import { List } from './views/list.js'
import { NotFound } from './views/not-found.js'
import { Revoke } from './views/revoke.js'
import { Rotate } from './views/rotate.js'
import { Usage } from './views/usage.js'

/** The page: who is signed in, and the view that the address names. */
export function App(): JSX.Element {
  const route = useRoute()
  // All tabs of a console send the same cookie, so one stream is right for all of them. What it says of a session may be
  // of the one before.
  useEffect(() => startLive(location.pathname, doubtSession), [])
  const { session, error, reload } = useSession(route)
  return (
    <Shell route={route} session={session}>
      {/* Other views have a question of their own that fails with this one. */}
      {route.view === 'generate' && <Problem error={error} retry={reload} />}
      <View key={formatRoute(route)} route={route} session={session} />
    </Shell>
  )
}

/** Who is signed in. Whoever signs in as somebody else begins with a new page: nothing of the first one's stays in view. */
function useSession(route: Route) {
  const { value: session, error, reload } = useLoad((signal) => api.session(signal), [])
  useLayoutEffect(() => {
    if (session !== undefined) actFor(session)
  }, [session])
  useEffect(() => {
    // A key that is shown to the one before stays until they have it.
    if (session === undefined || actsFor(session) || isHeld()) return
    noteNewPerson()
    location.reload()
  }, [session, route])
  useEffect(() => {
    const look = (): void => {
      if (document.visibilityState === 'visible') reload()
    }
    const stop = onSessionDoubt(reload)
    addEventListener('focus', look)
    document.addEventListener('visibilitychange', look)
    return () => {
      stop()
      removeEventListener('focus', look)
      document.removeEventListener('visibilitychange', look)
    }
  }, [reload])
  useEffect(() => onSessionChange((ended) => ended || reload()), [reload])
  return { session, error, reload }
}

function View({ route, session }: { readonly route: Route } & ViewProps): JSX.Element {
  switch (route.view) {
    case 'list':
      return <List session={session} />
    case 'generate':
      return <Generate session={session} />
    case 'key':
      return <Key session={session} id={route.id} />
    case 'rotate':
      return <Rotate session={session} id={route.id} />
    case 'revoke':
      return <Revoke session={session} id={route.id} />
    case 'usage':
      return <Usage />
    case 'audit':
      return <Audit session={session} />
    case 'unknown':
      return <NotFound />
  }
}
