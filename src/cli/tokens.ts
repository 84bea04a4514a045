import type { TokenRevocation } from '../keyring/records.js'
import type { TokenSelector } from '../keyring/token-selector.js'
import { type Command, readDuration, required, UsageError } from './command.js'
import { STORE_FLAGS, STORE_HELP, withKeyring } from './store.js'
import { formatInstant, formatTable, notice, printJson } from './terminal.js'

const text = { type: 'string' } as const

const revoke: Command = {
  synopsis: 'tokens revoke --issuer URL (--token-id ID | --subject TEXT | --client-id TEXT) [options]',
  summary: 'have the services of this store refuse access tokens',
  help: `Options:
  --issuer URL         issuer of the tokens, as their iss claim says (required)
  --token-id ID        the one token with this jti claim
  --subject TEXT       tokens of this subject
  --client-id TEXT     tokens of this client
  --issued-before TIME with --subject and --client-id: that were issued before, such as 2026-11-25T12:00:00Z or now
                       (default now)
  --token-life DURATION  how long a token of this issuer lives at most; then the revocation is dropped (default 365d)
  --reason TEXT        why, for the record
  --actor TEXT         who revokes them, for the record
${STORE_HELP}
It cannot be taken back. A token that does not say when it was issued counts as issued before.

Examples:
  vantage-auth tokens revoke --issuer https://sso.example.com --subject user_123 --reason 'laptop stolen'
  vantage-auth tokens revoke --issuer https://sso.example.com --token-id 6f1a5c1e
`,
  flags: {
    ...STORE_FLAGS,
    issuer: text,
    'token-id': text,
    subject: text,
    'client-id': text,
    'issued-before': text,
    'token-life': text,
    reason: text,
    actor: text,
  },
  operands: [],
  async run(given) {
    const issuer = required(given, 'issuer')
    const [tokenId, subject, clientId] = ['token-id', 'subject', 'client-id'].map((flag) => given.text(flag))
    if ([tokenId, subject, clientId].filter((value) => value !== undefined).length !== 1) {
      throw new UsageError('one of --token-id, --subject and --client-id is needed')
    }
    const before = given.text('issued-before')
    if (tokenId !== undefined && before !== undefined)
      throw new UsageError('--issued-before does not go with --token-id')
    const issuedBefore = before === undefined || before === 'now' ? new Date() : before
    const selector =
      tokenId !== undefined
        ? { issuer, tokenId }
        : subject !== undefined
          ? { issuer, subject, issuedBefore }
          : { issuer, clientId, issuedBefore }
    const options = {
      reason: given.text('reason'),
      actor: given.text('actor'),
      tokenLife: readDuration(given, 'token-life'),
    }
    await withKeyring(given, {}, async (keyring) => {
      const revocation = await keyring.revokeTokens(selector as TokenSelector, options)
      if (given.is('json')) return printJson(revocation)
      process.stdout.write(formatRevocations([revocation]))
    })
  },
}

const list: Command = {
  synopsis: 'tokens list [options]',
  summary: 'the revocations of tokens that are in force, newest first',
  help: `Options:
${STORE_HELP}
Examples:
  vantage-auth tokens list --json
`,
  flags: STORE_FLAGS,
  operands: [],
  async run(given) {
    await withKeyring(given, {}, async (keyring) => {
      const revocations = await keyring.tokenRevocations()
      if (given.is('json')) return printJson({ revocations })
      if (revocations.length === 0) return notice('No tokens are revoked.')
      process.stdout.write(formatRevocations(revocations))
    })
  },
}

/** `vantage-auth tokens ...` */
export const tokensCommands: Readonly<Record<string, Command>> = { revoke, list }

function formatRevocations(revocations: readonly TokenRevocation[]): string {
  return formatTable(
    ['ISSUER', 'TOKEN', 'SUBJECT', 'CLIENT', 'ISSUED BEFORE', 'REVOKED', 'BY', 'REASON', 'DROPPED'],
    revocations.map((one) => [
      one.issuer,
      one.tokenId,
      one.subject,
      one.clientId,
      one.issuedBefore && formatInstant(one.issuedBefore),
      formatInstant(one.createdAt),
      one.createdBy,
      one.reason,
      formatInstant(one.endsAt),
    ]),
  )
}
