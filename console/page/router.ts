import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { formatRoute, parseRoute, type Route } from './routes.js'

/** A view that must not be left by accident, and what it does when somebody tries to. */
interface Hold {
  /** As {@link formatRoute} writes it. */
  readonly fragment: string
  readonly onLeave: (leave: () => void) => void
}

let hold: Hold | undefined

/** A fragment that is no route. */
const UNKNOWN = '#/unknown'

/** Whether the view that is shown must not be left by accident. */
export function isHeld(): boolean {
  return hold !== undefined
}

/** The route that the address names. Backwards, forwards and typed fragments change it. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useEffect(() => {
    const changed = (): void => {
      const next = parseRoute(location.hash)
      // What is no route may be a key that somebody pasted into the address: it leaves the history again.
      if (next.view === 'unknown') history.replaceState(null, '', UNKNOWN)
      if (hold === undefined) {
        setRoute(next)
        return
      }
      const wanted = next.view === 'unknown' ? UNKNOWN : formatRoute(next)
      // Another spelling of the same view leaves nothing.
      if (wanted === hold.fragment) {
        history.replaceState(null, '', wanted)
        return
      }
      history.pushState(null, '', hold.fragment)
      hold.onLeave(() => {
        hold = undefined
        location.hash = wanted
      })
    }
    changed()
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return route
}

export function go(route: Route): void {
  location.hash = formatRoute(route)
}

/**
 * While `active`, the view stays. Links within the page and the Back button call `onLeave` with what leaves in earnest;
 * closing the tab, reloading and other pages bring the browser's own question.
 */
export function useHold(active: boolean, onLeave: Hold['onLeave']): void {
  // Before the key is painted: an effect that runs later leaves a moment in which Back takes the key away unasked.
  useLayoutEffect(() => {
    if (!active) return
    const mine: Hold = { fragment: formatRoute(parseRoute(location.hash)), onLeave }
    hold = mine
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
    addEventListener('beforeunload', ask)
    return () => {
      if (hold === mine) hold = undefined
      removeEventListener('beforeunload', ask)
    }
  }, [active])
}
