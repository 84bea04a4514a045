import type { TokenRevocation } from '../keyring/records.js'
import type { TokenSelector } from '../keyring/token-selector.js'
import { type Arguments, type Command, readDuration, readWhole, refuseToken, UsageError } from './command.js'
import { readAnswerDuration, tellConfirmation, WAIT_OPTION, waitForServices } from './confirmation.js'
import { readStandardInput } from './standard-input.js'
import { STORE_OPTIONS, withKeyring } from './store.js'
import { printTable } from './table.js'
import { formatInstant, notice, printJson } from './terminal.js'

/** The flags that name tokens, and the claim that each takes. */
const NAMES = [
  ['issuer', 'iss'],
  ['token-id', 'jti'],
  ['subject', 'sub'],
  ['client-id', 'client_id'],
  ['session-id', 'sid'],
] as const

/** As services have it by default (`clockToleranceSeconds`). */
const DEFAULT_TOLERANCE_SECONDS = 5
const MAX_TOLERANCE_SECONDS = 300

const revoke: Command = {
  usage: '--issuer URL (--token-id ID | --subject TEXT | --client-id TEXT | --session-id ID) [options]',
  summary: 'have the services of this store refuse access tokens',
  about: [
    'It cannot be taken back. A token that does not say when it was issued counts as issued before.',
    'One of --issuer, --token-id, --subject, --client-id and --session-id may be -: then its text is read from standard input, whatever characters it has, without the line break at its end.',
    'With --wait it prints how many services refuse the tokens, and after how long; or which have not said so. They are revoked in either case.',
  ],
  refusesRepeated: true,
  options: {
    issuer: {
      value: 'URL',
      help: 'issuer of the tokens, as their iss claim says, character for character',
      required: true,
    },
    'token-id': { value: 'ID', help: 'the one token with this jti claim' },
    subject: { value: 'TEXT', help: 'tokens of this subject' },
    'client-id': { value: 'TEXT', help: 'tokens of this client' },
    'session-id': { value: 'ID', help: 'tokens of this session, as their sid claim says' },
    'issued-before': {
      value: 'TIME',
      help: 'that were issued before, or in the same second, such as 2026-11-25T12:00:00Z or now (default now, and all tokens of a --session-id; not with --token-id)',
    },
    'clock-tolerance': {
      value: 'SECONDS',
      help: `how far the issuer's clock may run ahead, 0 to ${MAX_TOLERANCE_SECONDS}: is added to now (default ${DEFAULT_TOLERANCE_SECONDS})`,
    },
    'token-life': {
      value: 'DURATION',
      help: 'how long a token of this issuer lives at most; ten minutes later the revocation is dropped',
      default: '365d',
    },
    reason: { value: 'TEXT', help: 'why, for the record' },
    actor: { value: 'TEXT', help: 'who revokes them, for the record' },
    ...WAIT_OPTION,
    ...STORE_OPTIONS,
  },
  examples: [
    "vantage-auth tokens revoke --issuer https://sso.example.com --subject user_123 --reason 'laptop stolen'",
    'vantage-auth tokens revoke --issuer https://sso.example.com --token-id 6f1a5c1e --wait',
    'printf %s "$SUB" | vantage-auth tokens revoke --issuer https://sso.example.com --subject -',
  ],
  exitCodes:
    '0; 1 for trouble with the store, and with --wait when a service has not confirmed; 2 for a wrong argument: then nothing was revoked.',
  async run(given) {
    const names = NAMES.map(([flag]) => given.text(flag))
    const [first, second] = NAMES.slice(1).flatMap(([flag], i) => (names[i + 1] === undefined ? [] : [flag]))
    if (first === undefined) {
      throw new UsageError('one of --token-id, --subject, --client-id and --session-id is needed')
    }
    if (second !== undefined)
      throw new UsageError(`--${second} does not go with --${first}: revoke them one after the other`)
    const empty = NAMES.find((_, i) => names[i] === '')
    if (empty !== undefined) throw new UsageError(`--${empty[0]} is empty; give the ${empty[1]} claim of the tokens`)
    const issuedBefore = readIssuedBefore(given)
    const wait = readAnswerDuration(given, 'wait')
    const texts = await replaceDash(names)
    for (const [i, [flag, claim]] of NAMES.entries()) refuseToken(texts[i], flag, claim)
    const [issuer, tokenId, subject, clientId, sessionId] = texts
    const selector =
      tokenId !== undefined
        ? { issuer, tokenId }
        : subject !== undefined
          ? { issuer, subject, issuedBefore }
          : clientId !== undefined
            ? { issuer, clientId, issuedBefore }
            : { issuer, sessionId, issuedBefore }
    const options = {
      reason: given.text('reason'),
      actor: given.text('actor'),
      tokenLife: readDuration(given, 'token-life'),
    }
    return withKeyring(given, {}, async (keyring, store) => {
      const { record, confirmation } =
        wait === undefined
          ? { record: await keyring.revokeTokens(selector as TokenSelector, options), confirmation: undefined }
          : await waitForServices(given, store, 'The tokens are', wait, (keyring) =>
              keyring.revokeTokens(selector as TokenSelector, { ...options, confirm: wait }),
            )
      if (given.is('json')) printJson({ ...record, confirmation })
      else printRevocations([record])
      return tellConfirmation(given, confirmation)
    })
  },
}

const list: Command = {
  summary: 'the revocations of tokens that are in force, newest first',
  options: STORE_OPTIONS,
  examples: ['vantage-auth tokens list --json'],
  async run(given) {
    await withKeyring(given, { reads: true }, async (keyring) => {
      const revocations = await keyring.tokenRevocations()
      if (given.is('json')) return printJson({ revocations })
      if (revocations.length === 0) return notice('No tokens are revoked.')
      printRevocations(revocations)
    })
  },
}

/** `vantage-auth tokens ...` */
export const tokensCommands: Readonly<Record<string, Command>> = { revoke, list }

/** A token that was issued up to now may bear a later time, by as much as the services tolerate. */
function readIssuedBefore(given: Arguments): Date | string | undefined {
  const before = given.text('issued-before')
  const tolerance = readWhole(given, 'clock-tolerance')
  for (const flag of ['issued-before', 'clock-tolerance']) {
    if (given.text('token-id') !== undefined && given.text(flag) !== undefined)
      throw new UsageError(`--${flag} does not go with --token-id`)
  }
  if (tolerance !== undefined && !(tolerance <= MAX_TOLERANCE_SECONDS))
    throw new UsageError(`--clock-tolerance must be a number of seconds from 0 to ${MAX_TOLERANCE_SECONDS}`)
  const isOfSession = given.text('session-id') !== undefined
  if (before === undefined && isOfSession && tolerance === undefined) return undefined
  if (before === 'now' || (before === undefined && !isOfSession))
    return new Date(Date.now() + 1000 * (tolerance ?? DEFAULT_TOLERANCE_SECONDS))
  if (tolerance !== undefined) throw new UsageError('--clock-tolerance goes with --issued-before now alone')
  return before
}

/** The names, with what standard input holds in place of the one that is `-`. */
async function replaceDash(names: readonly (string | undefined)[]): Promise<(string | undefined)[]> {
  const dashes = names.filter((name) => name === '-').length
  if (dashes > 1) throw new UsageError('only one flag can be - and read standard input')
  const input = dashes === 1 ? await readName() : undefined
  return names.map((name) => (name === '-' ? input : name))
}

/** More than a name may have, so that a wrong file is refused before all of it is read. */
const LONGEST_INPUT = 16_384

async function readName(): Promise<string> {
  // As it stands: also a byte order mark is part of it.
  return (await readStandardInput(LONGEST_INPUT, { keepsMark: true })).replace(/\r?\n$/, '')
}

function printRevocations(revocations: readonly TokenRevocation[]): void {
  printTable(
    [
      { title: 'ISSUER', cut: true },
      'TOKEN',
      { title: 'SUBJECT', cut: true },
      { title: 'CLIENT', cut: true },
      { title: 'SESSION', cut: true },
      'ISSUED BEFORE',
      'REVOKED',
      { title: 'BY', cut: true },
      { title: 'REASON', cut: true },
      'DROPPED',
    ],
    revocations.map((one) => [
      one.issuer,
      one.tokenId,
      one.subject,
      one.clientId,
      one.withoutSession ? 'tokens without one' : one.sessionId,
      one.issuedBefore && formatInstant(one.issuedBefore),
      formatInstant(one.createdAt),
      one.createdBy,
      one.reason,
      formatInstant(one.endsAt),
    ]),
  )
}
