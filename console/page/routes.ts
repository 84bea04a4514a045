/** The views of the page. Each has a fragment of its own, so that Back, reload and links work. */
export type Route =
  | { readonly view: 'list' | 'generate' | 'usage' | 'audit' | 'unknown' }
  | { readonly view: 'key' | 'rotate' | 'revoke'; readonly id: string }

const PATHS: readonly (readonly [RegExp, Route['view']])[] = [
  [/^$/, 'list'],
  [/^new$/, 'generate'],
  [/^usage$/, 'usage'],
  [/^audit$/, 'audit'],
  // An id has twelve characters. Whatever else somebody has pasted there, a whole key above all, is never sent.
  [/^keys\/([0-9A-Za-z]{12})$/, 'key'],
  [/^keys\/([0-9A-Za-z]{12})\/rotate$/, 'rotate'],
  [/^keys\/([0-9A-Za-z]{12})\/revoke$/, 'revoke'],
]

/** What a fragment such as `#/keys/4dcF0m3vXq2T` leads to. */
export function parseRoute(fragment: string): Route {
  const path = fragment.replace(/^#?\/?/, '')
  for (const [pattern, view] of PATHS) {
    const match = pattern.exec(path)
    if (match !== null) return (match[1] === undefined ? { view } : { view, id: match[1] }) as Route
  }
  return { view: 'unknown' }
}

/** The fragment of a route. */
export function formatRoute(route: Route): string {
  switch (route.view) {
    case 'list':
    case 'unknown':
      return '#/'
    case 'generate':
      return '#/new'
    case 'usage':
    case 'audit':
      return `#/${route.view}`
    case 'key':
      return `#/keys/${route.id}`
    case 'rotate':
    case 'revoke':
      return `#/keys/${route.id}/${route.view}`
  }
}
