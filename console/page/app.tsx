import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { api } from './api.js'
import { startLive } from './live.js'
import { useLoad } from './load.js'
import { useRoute } from './router.js'
import { formatRoute, type Route } from './routes.js'
import { noteSession } from './session-state.js'
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
  // All tabs of a console send the same cookie, so one stream is right for all of them.
  useEffect(() => startLive(location.pathname, () => noteSession('ended')), [])
  const { value: session } = useLoad((signal) => api.session(signal), [])
  return (
    <Shell route={route} session={session}>
      <View key={formatRoute(route)} route={route} session={session} />
    </Shell>
  )
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
      return <Usage session={session} />
    case 'audit':
      return <Audit session={session} />
    case 'unknown':
      return <NotFound />
  }
}
