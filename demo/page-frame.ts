import { createHash } from 'node:crypto'

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
.button { display: inline-block; padding: .5rem 1.25rem; border: 1px solid var(--accent); border-radius: .375rem; font-weight: 600; text-decoration: none }
a { color: var(--accent) }
header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: .75rem 1.5rem; max-width: 48rem; margin: 0 auto 1.5rem }
header + main { max-width: 48rem }
nav a { margin-right: 1rem }
.primary { background: var(--accent); color: var(--on-accent) }
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

/** A page of the demo: `title` is text; `content` is HTML, and so is `banner`, which stands above it. */
export function page(title: string, content: string, banner = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Vantage demo</title>
<style>${STYLE}</style>
</head>
<body>
${banner}<main>
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

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}
