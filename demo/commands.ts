import type { Demo } from './start.js'

/**
 * The product page's commands with live values, in the page's order: to paste into a POSIX shell, all at once or one by
 * one. Lines are at most 100 columns wide.
 *
 * Comments hold no quotes, brackets or wildcards: zsh, as it comes, reads a pasted comment as a command.
 *
 * @param state the `state` of the authorization request: URL-safe characters
 */
export function formatCommands(demo: Demo, { interactive, state }: { interactive: boolean; state: string }): string {
  const { issuer, api, console: keyConsole, apiKey, clientId, clientSecret, redirectUri, endSession } = demo
  const url = api.express
  return `# The Vantage API on this machine. Paste what follows into another shell. Ctrl-C ends it.
#
#   Authorization server   ${issuer}
#   API on Express         ${api.express}
#   API on Koa             ${api.koa}
#   API on Fastify         ${api.fastify}
#   Dashboard              ${new URL(keyConsole).origin}
#   Settings, API Keys     ${keyConsole}
#
# To make a key of your own, open the dashboard in a browser, and sign in as ada or as bob.
# The commands call the API on Express. Koa and Fastify answer the same.

# Call the API with an API key
curl -s -w '\\n' -H \\
  "Authorization: Bearer ${apiKey}" \\
  ${url}/v1/jobs

# Authorization code flow: the address that a user is sent to
AUTHORIZE_URL="${issuer}/oauth/authorize?\\
client_id=${clientId}&\\
response_type=code&\\
redirect_uri=${redirectUri}&\\
scope=jobs:read,clusters:read&\\
state=${state}"

${interactive ? BROWSER_STEP : CURL_STEP}

# Exchange the code for a token
TOKEN_RESPONSE=$(curl -s -X POST ${issuer}/oauth/token \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "grant_type=authorization_code" \\
  -d "client_id=${clientId}" \\
  -d "client_secret=${clientSecret}" \\
  -d "code=${interactive ? UNLESS_PASTED : '$CODE'}" \\
  -d "redirect_uri=${redirectUri}")
echo "$TOKEN_RESPONSE"

# Use the access token
ACCESS_TOKEN=$(echo "$TOKEN_RESPONSE" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
curl -s -w '\\n' -H "Authorization: Bearer $ACCESS_TOKEN" \\
  ${url}/v1/jobs

# Client credentials flow
curl -s -w '\\n' -X POST ${issuer}/oauth/token \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "grant_type=client_credentials" \\
  -d "client_id=${clientId}" \\
  -d "client_secret=${clientSecret}" \\
  -d "scope=jobs:read,clusters:read"

# 401 for a credential that nobody issued
curl -s -w '\\n%{http_code}\\n' -H "Authorization: Bearer not-a-credential" \\
  ${url}/v1/jobs

# 403 for a key that may read jobs and not write them
curl -s -w '\\n%{http_code}\\n' -X POST -H \\
  "Authorization: Bearer ${apiKey}" \\
  ${url}/v1/jobs

# End all sessions, as a sign-out does: yours, and the one that the token above was issued in.
# The authorization server tells the API on Express of it
curl -s -w '\\n' -X POST ${endSession}

# From then on all three refuse the access token of above, before its end
curl -s -o /dev/null -w '%{http_code}\\n' -H "Authorization: Bearer $ACCESS_TOKEN" \\
  ${api.express}/v1/jobs
curl -s -o /dev/null -w '%{http_code}\\n' -H "Authorization: Bearer $ACCESS_TOKEN" \\
  ${api.koa}/v1/jobs
curl -s -o /dev/null -w '%{http_code}\\n' -H "Authorization: Bearer $ACCESS_TOKEN" \\
  ${api.fastify}/v1/jobs

# Test the authentication setup
curl -s -w '\\n' -H \\
  "Authorization: Bearer ${apiKey}" \\
  ${url}/v1/auth/test
`
}

const CURL_STEP = `# It consents by itself here, and sends the browser, which is curl, on with a code
CODE=$(curl -s -o /dev/null -w '%{redirect_url}' "$AUTHORIZE_URL" |
  sed 's/.*[?&]code=\\([^&]*\\).*/\\1/')
echo "$CODE"`

const BROWSER_STEP = `# Open it in a browser, sign in and allow. Then paste the line that the browser shows
echo "$AUTHORIZE_URL"`

// Whoever pastes everything at once is told so, and sends no request.
const UNLESS_PASTED = `\${CODE:?paste the line that the browser shows first}`
