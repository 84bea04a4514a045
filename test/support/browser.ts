/** A browser without scripts: keeps cookies of one host, follows redirects, and answers forms that hold a CSRF token. */
export interface Browser {
  /** Values by name. */
  readonly cookies: Map<string, string>
  /** The `Set-Cookie` lines of all answers so far. */
  readonly cookieLines: string[]
  go(url: URL | string, init?: RequestInit): Promise<Shown>
  /** Sends the form of a page that was shown at `at()`. */
  answer(html: string, fields: Record<string, string>): Promise<Shown>
  at(): URL
}

export interface Shown {
  readonly status: number
  readonly html: string
  readonly headers: Headers
}

export function openBrowser(): Browser {
  const cookies = new Map<string, string>()
  const cookieLines: string[] = []
  let at = ''
  async function go(url: URL | string, init: RequestInit = {}): Promise<Shown> {
    let target = new URL(url)
    let request = init
    for (;;) {
      at = target.href
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = { accept: 'text/html', ...request.headers, cookie }
      const response = await fetch(target, { ...request, headers, redirect: 'manual' })
      for (const line of response.headers.getSetCookie()) {
        cookieLines.push(line)
        const [name, value] = (line.split(';')[0] as string).split(/=(.*)/) as [string, string]
        if (/; expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
      const html = await response.text()
      const location = response.headers.get('location')
      if (location === null) return { status: response.status, html, headers: response.headers }
      target = new URL(location, target)
      request = {}
    }
  }
  return {
    cookies,
    cookieLines,
    go,
    answer(html, fields) {
      const csrf = /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? ''
      return go(at, { method: 'POST', body: new URLSearchParams({ csrf, ...fields }) })
    },
    at: () => new URL(at),
  }
}
