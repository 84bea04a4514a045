import { readFileSync } from 'node:fs'
import { digestApiKey, KEY_BODY_LENGTH, KEY_PREFIXES, looksLikeApiKey, parseApiKey } from '../api-key/format.js'
import { checkStoredKey, reportStoredKey } from '../api-key/verdict.js'
import { type Configuration, resolveOptions, type VerifierOptions } from '../config/options.js'
import { formatChoice } from '../core/choice.js'
import { parseAuthorization } from '../core/credentials.js'
import { ENVIRONMENTS, type Environment } from '../core/environments.js'
import { isAuthError } from '../core/errors.js'
import { claimedAuth, reportClaims } from '../token/access-token.js'
import type { CheckReport } from '../token/check-report.js'
import { createIssuer } from '../token/issuer/issuer.js'
import type { VerificationKey } from '../token/key-set.js'
import { verifyAccessToken } from '../token/signature.js'
import { parseAccessToken, type UnverifiedAccessToken } from '../token/unverified-token.js'
import { isRevokedBy } from '../verifier/revocation-list.js'
import { type Arguments, type Command, UsageError } from './command.js'
import { findStore, openStore } from './store.js'
import { printable } from './terminal.js'

/** How one check went; `open` when nothing here can tell. */
interface Finding {
  readonly check: string
  readonly outcome: 'passed' | 'failed' | 'open'
  readonly expected: string
  readonly found: string
  /** What a verifier would log, when the check failed. */
  readonly reason?: string
}

const LONGEST_INPUT = 64 * 1024

export const explain: Command = {
  usage: '[options] < FILE',
  summary: 'say which check refuses a credential, and why',
  about: [
    'It reads an API key or an access token from standard input, with or without "Authorization: Bearer" before it, and prints the checks that a service makes, in its order. It never prints the credential.',
    'Without --jwks and --fetch the signature stays open, and so does the answer.',
  ],
  options: {
    issuer: { value: 'URL', help: 'accepted issuer', variable: 'VANTAGE_ISSUER' },
    audience: { value: 'LIST', help: 'accepted audiences, separated by commas', variable: 'VANTAGE_AUDIENCE' },
    profile: { value: 'NAME', choices: ['rfc9068', 'lenient'], variable: 'VANTAGE_PROFILE' },
    environment: { value: 'NAME', choices: ENVIRONMENTS, variable: 'VANTAGE_ENVIRONMENT' },
    jwks: { value: 'FILE', help: 'verify the signature with this key set' },
    fetch: { help: "verify the signature with the issuer's keys, fetched" },
    store: {
      value: 'URL',
      help: 'where keys and revoked tokens are, or false in the variable (default sqlite:vantage-auth.db)',
      variable: 'VANTAGE_KEY_STORE',
    },
    json: { help: 'print JSON' },
  },
  examples: [
    'vantage-auth explain < token.txt',
    'printf %s "$KEY" | vantage-auth explain --store sqlite:./keys.db',
    'vantage-auth explain --fetch --issuer https://sso.example.com --audience reports --profile lenient < token.txt',
  ],
  exitCodes:
    '0 when the credential would be accepted; 1 when it would be refused, or cannot be decided here; 2 for a wrong argument.',
  async run(given) {
    const config = resolveOptions(readOptions(given))
    const credential = parseAuthorization(`Bearer ${await readCredential()}`)
    const kind = credential.kind === 'bearer' && looksLikeApiKey(credential.token) ? 'API key' : 'access token'
    const findings =
      credential.kind !== 'bearer'
        ? [failed('size', '1 to 8192 bytes', 'nothing, or more', 'malformed')]
        : kind === 'API key'
          ? await explainApiKey(credential.token, config.environment, given)
          : await explainToken(credential.token, config, given)
    const refusal = findings.find(({ outcome }) => outcome === 'failed')
    const verdict = refusal ? 'refused' : findings.some(({ outcome }) => outcome === 'open') ? 'open' : 'accepted'
    if (given.is('json')) {
      process.stdout.write(`${JSON.stringify({ kind, verdict, reason: refusal?.reason ?? null, checks: findings })}\n`)
    } else {
      process.stdout.write(format(kind, findings, verdict, refusal))
    }
    return verdict === 'accepted' ? 0 : 1
  },
}

/** The options of a service. What a flag says is checked where options are. */
function readOptions(given: Arguments): VerifierOptions {
  const issuer = given.text('issuer')
  const audience = given.text('audience')?.split(/[\s,]+/)
  const jwks = given.text('jwks')
  return {
    keys: false,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
    ...(given.text('profile') !== undefined && { profile: given.text('profile') as 'rfc9068' }),
    ...(given.text('environment') !== undefined && { environment: given.text('environment') as Environment }),
    ...(jwks !== undefined && { jwks: readKeySet(jwks) }),
  }
}

function readKeySet(path: string): NonNullable<VerifierOptions['jwks']> {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw new UsageError('--jwks must name a file that holds a JSON Web Key Set')
  }
}

/** Standard input, less what people copy along with a credential. */
async function readCredential(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Paste the credential, then press Enter and Ctrl-D.\n')
  let input = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    input += chunk
    if (input.length > LONGEST_INPUT) throw new UsageError('standard input holds more than a credential')
  }
  const credential = input.trim().replace(/^(?:authorization:\s*)?(?:bearer\s+)?/i, '')
  if (credential === '') throw new UsageError('standard input is empty; it takes the credential from there')
  return credential
}

async function explainApiKey(key: string, environment: Environment, given: Arguments): Promise<Finding[]> {
  const parsed = parseApiKey(key)
  const prefixes = formatChoice(KEY_PREFIXES.map((prefix) => `"${prefix}"`))
  const format = `${prefixes} and ${KEY_BODY_LENGTH} letters and digits`
  if (parsed === 'malformed') return [failed('format', format, `${key.length} characters`, parsed)]
  const wellFormed = passed('format', format, 'the same')
  if (parsed === 'checksum') {
    return [wellFormed, failed('checksum', 'that of the characters before it', 'another: mistyped or cut', parsed)]
  }
  const findings = [
    wellFormed,
    passed('checksum', 'that of the characters before it', 'the same'),
    parsed.environment === environment
      ? passed('environment', environment, parsed.environment)
      : failed('environment', environment, parsed.environment, 'environment'),
  ]
  const keys = findStore(given)
  if (keys.kind === 'none') return [...findings, failed('store', 'a key store', keys.because, 'unknown')]
  if (keys.kind === 'absent') return [...findings, open('store', 'the key', keys.because)]
  const store = openStore(given)
  try {
    const stored: unknown = await store.find(parsed.id)
    try {
      checkStoredKey(stored, parsed.id)
    } catch (error) {
      const { message } = error as TypeError
      return [...findings, open('store', 'a row that services can read; they answer 503', message)]
    }
    const presented = { ...parsed, digest: digestApiKey(key) }
    return [...findings, ...reportStoredKey(stored, presented, Date.now()).map(findingOf)]
  } finally {
    await store.close()
  }
}

async function explainToken(text: string, config: Configuration, given: Arguments): Promise<Finding[]> {
  const withKeys = given.is('fetch') || given.text('jwks') !== undefined
  const issuers = new Map(config.issuers.map((policy) => [policy.issuer, createIssuer(policy, config)]))
  const findings: Finding[] = []
  try {
    const token = parseAccessToken(text, issuers, (check) => findings.push(findingOf(check)))
    if ('reason' in token) return findings
    findings.push(...(withKeys ? await judgeSignature(token) : [NO_KEYS]))
    const now = config.clock() / 1000
    findings.push(...reportClaims(token, now).map(findingOf))
    if (findings.some(({ outcome }) => outcome === 'failed')) return findings
    return [...findings, ...(await judgeRevocation(token, now, given))]
  } finally {
    for (const issuer of issuers.values()) issuer.close()
  }
}

/** What the store says of the token. A service without a store refuses none as revoked. */
async function judgeRevocation(token: UnverifiedAccessToken, now: number, given: Arguments): Promise<Finding[]> {
  const auth = claimedAuth(token, now)
  if (auth === undefined || findStore(given).kind !== 'present') return []
  const store = openStore(given)
  try {
    const revoked = await isRevokedBy((await store.tokenRevocations?.(Date.now())) ?? [], auth)
    return [revoked ? failed('revoked', 'no', 'yes, by the store', 'revoked') : passed('revoked', 'no', 'no')]
  } finally {
    await store.close()
  }
}

const NO_KEYS = open('signature', "made by one of the issuer's keys", 'not verified; use --fetch or --jwks')

async function judgeSignature(token: UnverifiedAccessToken): Promise<Finding[]> {
  const { issuer, alg, kid } = token
  const wanted = `a key of the issuer for ${alg}${kid === undefined ? '' : ' and its kid'}`
  let keys: readonly VerificationKey[]
  try {
    keys = await issuer.keysFor(alg, kid)
  } catch (error) {
    if (!isAuthError(error)) throw error
    const { cause } = error
    const found = cause instanceof Error ? cause.message : 'the key set cannot be fetched'
    return [open('key', wanted, found)]
  }
  if (keys.length === 0) return [failed('key', wanted, 'none', 'key')]
  const verified = await verifyAccessToken(token, keys)
  return [
    passed('key', wanted, 'one'),
    verified === undefined
      ? failed('signature', 'made by that key', 'it is not', 'signature')
      : passed('signature', 'made by that key', 'it is'),
  ]
}

function findingOf({ name, passed: holds, reason, expected, found }: CheckReport): Finding {
  return holds ? passed(name, expected, found) : failed(name, expected, found, reason)
}

function passed(check: string, expected: string, found: string): Finding {
  return { check, outcome: 'passed', expected, found }
}

function failed(check: string, expected: string, found: string, reason: string): Finding {
  return { check, outcome: 'failed', expected, found, reason }
}

function open(check: string, expected: string, found: string): Finding {
  return { check, outcome: 'open', expected, found }
}

const MARKS = { passed: 'ok  ', failed: 'FAIL', open: '?   ' }

function format(kind: string, findings: readonly Finding[], verdict: string, refusal: Finding | undefined): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ check, outcome, expected, found }) => {
    const start = `${MARKS[outcome]}  ${check.padEnd(width)}  `
    const indent = ' '.repeat(start.length)
    return outcome === 'passed'
      ? `${start}${printable(found)}`
      : `${start}expected ${printable(expected)}\n${indent}found    ${printable(found)}`
  })
  const conclusion = {
    accepted: 'It would be accepted.',
    refused: `It would be refused: ${refusal?.reason}.`,
    open: 'Nothing speaks against it, but not everything could be checked here.',
  }[verdict]
  return `${kind}\n${lines.join('\n')}\n\n${conclusion}\n`
}
