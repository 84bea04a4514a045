/** Where a request is in the console. */
export interface Place {
  /** See `ConsoleRequest.mount`. */
  readonly mount: string
  /** See `ConsoleRequest.path`. */
  readonly path: string
  /** See `ConsoleRequest.query`. */
  readonly query: string
}

/** The path and the query of a request's target, which may be a whole URL (RFC 9112 §3.2.2). */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const [whole = ''] = target.split('#', 1)
  const mark = whole.indexOf('?')
  const path = (mark === -1 ? whole : whole.slice(0, mark)).replace(/^https?:\/\/[^/]*/i, '')
  return { path: path || '/', query: mark === -1 ? '' : whole.slice(mark + 1) }
}

/**
 * Finds the mount, where a framework has taken it off the path. It gives a mount with and without a slash at its end the
 * same path `/`, and only the original target tells them apart.
 */
export function placeBehindMount(originalTarget: string, stripped: string): Place {
  const { path: whole, query } = splitTarget(originalTarget)
  if (stripped === '/' && !whole.endsWith('/')) return { mount: safeMount(whole), path: '', query }
  const mount = whole.endsWith(stripped) ? whole.slice(0, -stripped.length) : ''
  // Express 4 takes a second slash for a part of the mount; below it there is nothing that begins with two.
  return { mount: safeMount(mount), path: mount.endsWith('/') ? `/${stripped}` : stripped, query }
}

/** Takes a mount off the path; `undefined` for a path that is not below it. */
export function placeBelow(mount: string, target: string): Place | undefined {
  const { path, query } = splitTarget(target)
  if (path !== mount && !path.startsWith(`${mount}/`)) return undefined
  return { mount: safeMount(mount), path: path.slice(mount.length), query }
}

/**
 * A mount is sent in `Location`. What begins with two slashes there is another host's, and browsers take a backslash for a
 * slash. With wildcards in its path, an application leaves the mount to whoever sends the request.
 */
function safeMount(mount: string): string {
  return mount.replace(/^[/\\]+/, '/').replace(/[^\x21-\x7e]/g, encodeURIComponent)
}
