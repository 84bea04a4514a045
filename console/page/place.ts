import { formatRoute, parseRoute } from './routes.js'

const PLACE = 'vantage-auth.console.place'

/**
 * Notes the view that is shown, for whoever leaves it to sign in again: `return_to` is a path, and a path has no fragment.
 * It is written anew from the route, so that nothing else that stands in the address is stored.
 */
export function storePlace(): void {
  try {
    sessionStorage.setItem(PLACE, formatRoute(parseRoute(location.hash)))
  } catch {
    // A browser without storage comes back to the list.
  }
}

/** The fragment of the view that was left, once; `undefined` when none was. */
export function takePlace(): string | undefined {
  try {
    const place = sessionStorage.getItem(PLACE)
    sessionStorage.removeItem(PLACE)
    return place === null ? undefined : formatRoute(parseRoute(place))
  } catch {
    return undefined
  }
}
