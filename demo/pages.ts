import { createHash } from 'node:crypto'
import type { Scope } from '../src/core/scope.js'

/** What each scope permits, in the words of the product page. */
const PERMISSIONS: Readonly<Record<Scope, string>> = {
  'jobs:read': 'Read job information',
  'jobs:write': 'Create and manage jobs',
  'clusters:read': 'Read cluster information',
  'clusters:write': 'Create and manage clusters',
  'storage:read': 'Access file information',
  'storage:write': 'Upload and manage files',
  'teams:read': 'Read team information',
  'teams:write': 'Manage team membership',
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f2a; --soft: #565d6d; --paper: #fff; --back: #eef1f6; --line: #8a92a3; --accent: #2447c5; --on-accent: #fff; --alert: #b3161d }
@media (prefers-color-scheme: dark) { :root { --ink: #eceff5; --soft: #aeb6c5; --paper: #1c212c; --back: #11141b; --line: #6b7488; --accent: #9db2ff; --on-accent: #10162b; --alert: #ff9c96 } }
* { box-sizing: border-box }
body { margin: 0; padding: 2rem 1rem; background: var(--back); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 28rem; margin: 0 auto; padding: 1.75rem; background: var(--paper); border-radius: .75rem }
h1 { margin: 0 0 1rem; font-size: 1.375rem; line-height: 1.25 }
p, ul, pre { margin: 0 0 1rem }
ul { padding-left: 1.25rem }
code { font: .875em ui-monospace, monospace; overflow-wrap: anywhere }
li code, .soft { color: var(--soft) }
.soft { font-size: .875rem }
pre { padding: .75rem; border: 1px solid var(--line); border-radius: .375rem; white-space: pre-wrap }
label { display: block; font-weight: 600 }
input[type=text] { width: 100%; margin: .25rem 0; padding: .5rem .625rem; border: 1px solid var(--line); border-radius: .375rem; background: var(--paper); color: inherit; font: inherit }
button { padding: .5rem 1.25rem; border: 1px solid var(--accent); border-radius: .375rem; background: none; color: var(--accent); font: inherit; font-weight: 600; cursor: pointer }
button.primary { background: var(--accent); color: var(--on-accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.alert { color: var(--alert) }
.actions { display: flex; gap: .75rem; margin: 1.25rem 0 }
`

/** The value of Content-Security-Policy for these pages: their own style, and no script, image or frame at all. */
export function contentSecurityPolicy(formAction: readonly string[] = []): string {
  const style = createHash('sha256').update(STYLE).digest('base64')
  const targets = formAction.length === 0 ? "'none'" : formAction.join(' ')
  return `default-src 'none'; style-src 'sha256-${style}'; form-action ${targets}; frame-ancestors 'none'; base-uri 'none'`
}

/** What the sign-in and consent page shows. */
export interface ConsentRequest {
  readonly clientName: string
  readonly scopes: readonly string[]
  readonly redirectUri: string
  /** Who is signed in already; the page asks when nobody is. */
  readonly account: string | undefined
  readonly suggestedAccount: string
  readonly csrfToken: string
  readonly problem?: string
}

/** The page on which a user signs in and allows, or denies, what a client asks for. */
export function consentPage(request: ConsentRequest): string {
  const permissions = request.scopes
    .map((scope) => `<li>${escapeHtml(PERMISSIONS[scope as Scope])} <code>${escapeHtml(scope)}</code></li>`)
    .join('')
  const problem =
    request.problem === undefined ? '' : `<p class="alert" id="problem" role="alert">${escapeHtml(request.problem)}</p>`
  const account =
    request.account === undefined
      ? `<label for="account">User</label>
<input type="text" id="account" name="account" value="${escapeHtml(request.suggestedAccount)}" required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" aria-describedby="${problem && 'problem '}account-note"${problem && ' aria-invalid="true"'}>
<p class="soft" id="account-note">Any name signs in: this demo has no passwords.</p>`
      : `<p>Signed in as <strong>${escapeHtml(request.account)}</strong>.</p>`
  return page(
    `Allow ${request.clientName}?`,
    `<p><strong>${escapeHtml(request.clientName)}</strong> asks to use the Vantage API on your behalf:</p>
<ul>${permissions}</ul>
<form method="post">
<input type="hidden" name="csrf" value="${escapeHtml(request.csrfToken)}">
${problem}${account}
<div class="actions"><button class="primary" name="decision" value="allow">Allow</button><button name="decision" value="deny" formnovalidate>Deny</button></div>
</form>
<p class="soft">Either answer takes you to <code>${escapeHtml(request.redirectUri)}</code></p>`,
  )
}

/** The page at the demo's redirect URI, where a client would take over. */
export function codePage(code: string, state: string | undefined): string {
  return page(
    'The authorization code is here',
    `<p>A client would now exchange it for an access token. To do that by hand, paste this line into your shell, then the commands that the demo printed below the address:</p>
<pre><code>CODE=${escapeHtml(code)}</code></pre>
${state === undefined ? '' : `<p class="soft">The state came back as <code>${escapeHtml(state)}</code>; a client compares it with the one it sent.</p>`}
<p class="soft">The code works once, within ten minutes.</p>`,
  )
}

/** An error that cannot, or need not, be sent on to a client. */
export function errorPage(error: string, description: string | undefined): string {
  return page(
    'The request was not granted',
    `<p><code>${escapeHtml(error)}</code>${description === undefined ? '' : `: ${escapeHtml(description)}`}</p>`,
  )
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Vantage demo</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${content}
</main>
</body>
</html>
`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}
