import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import type { IssuerOptions } from '../../src/config/issuer-options.js'
import * as presets from '../../src/presets.js'

export type Preset = keyof typeof presets

export const DOCS = resolve(import.meta.dirname, '../../docs/providers')

/** The file of each preset's page. */
export const PAGES: { readonly [P in Preset]: string } = {
  keycloak: 'keycloak.md',
  auth0: 'auth0.md',
  entra: 'entra.md',
  okta: 'okta.md',
  cognito: 'cognito.md',
  googleServiceAccount: 'google-service-account.md',
  kubernetes: 'kubernetes.md',
  githubActions: 'github-actions.md',
  spiffe: 'spiffe.md',
}

/** What a provider's page shows. */
export interface Page {
  /** What the call of the preset in the first snippet returns. */
  readonly entry: IssuerOptions
  /** The object under "Written out". */
  readonly writtenOut: unknown
  /** The payload under "The token". */
  readonly token: Readonly<Record<string, unknown>>
}

export function readPage(preset: Preset): Page {
  const text = readFileSync(join(DOCS, PAGES[preset]), 'utf8')
  const token = /^## The token\n[\s\S]*?^```json\n(.*?)^```$/ms.exec(text)?.[1]
  if (token === undefined) throw new Error(`${PAGES[preset]} shows no token`)
  const [first = '', ...others] = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
  const entry = evaluate(
    first,
    (node) => ts.isCallExpression(node) && node.expression.getText() === preset,
  ) as IssuerOptions
  const written = others.find((code) => code.includes('export const entry: IssuerOptions ='))
  const writtenOut = evaluate(written ?? '', ts.isObjectLiteralExpression)
  return { entry, writtenOut, token: JSON.parse(token) }
}

/** The value of the first expression that fits. The snippets are our own. */
function evaluate(code: string, fits: (node: ts.Node) => boolean): unknown {
  const file = ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest, true)
  const find = (node: ts.Node): ts.Node | undefined => (fits(node) ? node : ts.forEachChild(node, find))
  const found = find(file)
  if (found === undefined) throw new Error('the snippet has no such expression')
  return new Function(...Object.keys(presets), `return (${found.getText()})`)(...Object.values(presets))
}
