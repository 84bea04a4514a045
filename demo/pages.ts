import type { Scope } from '../src/core/scope.js'
import { escapeHtml, page } from './page-frame.js'

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

/** What the sign-in page shows. */
export interface SignInRequest {
  readonly clientName: string
  readonly accounts: readonly string[]
  readonly csrfToken: string
  readonly problem?: string
}

/** The page on which a user says who signs in to a client that has accounts of its own. */
export function signInPage({ clientName, accounts, csrfToken, problem }: SignInRequest): string {
  const buttons = accounts
    .map(escapeHtml)
    .map((account) => `<button class="primary" name="account" value="${account}">Sign in as ${account}</button>`)
    .join('')
  return page(
    `Sign in to ${clientName}`,
    `<p class="soft">This demo has no passwords: choose who you are.</p>
<form method="post">
<input type="hidden" name="csrf" value="${escapeHtml(csrfToken)}">
${problem === undefined ? '' : `<p class="alert" role="alert">${escapeHtml(problem)}</p>`}
<div class="actions">${buttons}</div>
<button name="decision" value="deny">Cancel</button>
</form>`,
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
