import { escapeHtml, page } from './page-frame.js'
import type { User } from './sessions.js'

/** The first page, for somebody who has yet to sign in. */
export function welcomePage(): string {
  return page(
    'Vantage dashboard',
    `<p>Sign in to make API keys and to see what they are used for.</p>
<p><a class="button primary" href="/sign-in">Sign in</a></p>`,
  )
}

/** The first page of a user. */
export function homePage(user: User, apiUrl: string): string {
  return page(
    'Vantage dashboard',
    `<p>Tenant <strong>${escapeHtml(user.tenant)}</strong> calls the Vantage API at</p>
<pre><code>${escapeHtml(apiUrl)}</code></pre>
<p class="soft">This is a small application with a session of its own, and no more than a demo of what is mounted in it.</p>`,
    navigation(user),
  )
}

export function settingsPage(user: User, consolePath: string): string {
  return page('Settings', `<ul><li><a href="${escapeHtml(consolePath)}">API Keys</a></li></ul>`, navigation(user))
}

/** After a sign-in that came to nothing: declined, too late, or begun in another browser. */
export function signInFailedPage(): string {
  return page(
    'You are not signed in',
    `<p>The sign-in was cancelled, took too long, or began in another browser.</p>
<p><a class="button primary" href="/sign-in">Sign in</a></p>`,
  )
}

/** For requests that the dashboard refuses, with a reason for people. */
export function refusedPage(reason: string): string {
  return page('The request was refused', `<p>${escapeHtml(reason)}</p>`)
}

function navigation({ account, tenant }: User): string {
  return `<header>
<nav aria-label="Main"><a href="/">Dashboard</a> <a href="/settings">Settings</a></nav>
<form method="post" action="/sign-out"><span>Signed in as <strong>${escapeHtml(account)}</strong>, ${escapeHtml(tenant)}</span> <button>Sign out</button></form>
</header>
`
}
