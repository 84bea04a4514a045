import { NOT_LOOKED_AT } from '../../token/claim-checks.js'
import { type Command, EXIT, UsageError } from '../command.js'
import { wrap } from '../help.js'
import { print, printError } from '../output.js'
import { readService, SERVICE_OPTIONS } from '../service.js'
import { readStandardInput } from '../standard-input.js'
import { outputColumns, paint, printable, printJson } from '../terminal.js'
import { type Conclusion, conclude } from './conclusion.js'
import { type Explanation, explainCredential } from './credential.js'

const LONGEST_INPUT = 64 * 1024

export const explain: Command = {
  usage: '[options] < FILE',
  summary: 'say which check refuses a credential, and why',
  about: [
    'It reads an API key or an access token from standard input, with or without "Authorization: Bearer" before it. The first line is the answer and what to do; then come the checks that a service makes, in its order. It never prints the credential.',
    'An option here wins over the module of --config, and that over the variables. Functions of the module such as skip, onError and isRevoked are not called. Without --jwks, --fetch and a static key set the signature stays open, and so does the answer.',
  ],
  options: {
    ...SERVICE_OPTIONS,
    jwks: { value: 'FILE', help: 'verify the signature with this key set' },
    fetch: { help: "verify the signature with the issuer's keys, fetched" },
    json: { help: 'print JSON; an error is JSON too, on standard error' },
  },
  examples: [
    'vantage-auth explain < token.txt',
    'printf %s "$KEY" | vantage-auth explain --store sqlite:./keys.db',
    'vantage-auth explain --config ./auth.mjs --fetch < token.txt',
    'vantage-auth explain --fetch --issuer https://sso.example.com --audience reports --profile lenient < token.txt',
  ],
  exitCodes:
    '0 when the credential would be accepted; 1 when it would be refused, or cannot be decided here; 2 for a wrong argument.',
  async run(given) {
    const service = await readService(given)
    const explanation = await explainCredential(await readCredential(), service, given.is('fetch'))
    const conclusion = conclude(explanation)
    const { kind, findings: checks } = explanation
    if (given.is('json')) printJson({ kind, ...conclusion, checks })
    else print(format(explanation, conclusion))
    return conclusion.verdict === 'accepted' ? EXIT.ok : EXIT.trouble
  },
}

/** Standard input, less what people copy along with a credential. */
async function readCredential(): Promise<string> {
  if (process.stdin.isTTY) printError('Paste the credential, then press Enter and Ctrl-D.\n')
  const input = await readStandardInput(LONGEST_INPUT)
  const credential = input.trim().replace(/^(?:authorization:\s*)?(?:bearer\s+)?/i, '')
  if (credential === '') throw new UsageError('standard input is empty; it takes the credential from there')
  return credential
}

const MARKS = {
  passed: ['green', 'ok  '],
  failed: ['red', 'FAIL'],
  open: ['yellow', '?   '],
  skipped: ['dim', '-   '],
} as const

/** In a pipe each text stays on its line. */
function format({ kind, findings }: Explanation, { summary, cure }: Conclusion): string {
  const width = outputColumns() ?? Number.POSITIVE_INFINITY
  // What the options do not ask for is no check of this credential.
  const shown = findings.filter(({ outcome, found }) => outcome !== 'passed' || found !== NOT_LOOKED_AT)
  const longest = Math.max(...shown.map(({ check }) => check.length))
  const indent = ' '.repeat('FAIL'.length + 2 + longest + 2)
  const lines = shown.map(({ check, outcome, expected, found }) => {
    const [style, mark] = MARKS[outcome]
    const start = `${paint(style, mark)}  ${check.padEnd(longest)}  `
    const texts =
      outcome === 'passed' || outcome === 'skipped' ? [found] : [`expected ${expected}`, `found    ${found}`]
    return start + texts.map((text) => wrap(printable(text), width, indent)).join(`\n${indent}`)
  })
  return `${wrap(printable(`${summary}; ${cure}`), width)}\n\n${kind}\n${lines.join('\n')}\n`
}
