import { describeCause } from '../../core/cause.js'
import type { Duration } from '../../core/duration.js'
import { KeyNotFoundError, KeyStoreError } from '../../core/errors.js'
import { checkOptionalText } from '../../keyring/arguments.js'
import type { Confirmation, Keyring, RevokeKeyOptions } from '../../keyring/contract.js'
import type { KeyRecord } from '../../keyring/records.js'
import { UnconfirmedError } from '../../keyring/unconfirmed-error.js'
import type { KeyStore } from '../../store/contract.js'
import { type Arguments, type Command, CommandError, EXIT, UsageError } from '../command.js'
import {
  askForConfirmation,
  readAnswerDuration,
  tellConfirmation,
  WAIT_OPTION,
  waitForServices,
} from '../confirmation.js'
import { print, printError } from '../output.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { canAsk, confirm, notice, outputColumns, printable, printJson, withProgress } from '../terminal.js'
import { printRecord } from './record.js'
import { type ChosenKeys, findChosenKeys, formatIds, type KeyChoice, readKeyChoice, showIds } from './selection.js'
import { formatKeys, printKeys } from './table.js'

export const revoke: Command = {
  summary: 'end keys at once and for good',
  usage: '(ID… | - | --subject TEXT | --tenant TEXT | --unused DURATION) [options]',
  about: [
    'All that is given must hold. Without ids it ends keys that are still accepted. With - it reads ids from standard input.',
    'On a terminal it shows what it will end, and asks. Where nobody can be asked, as under --json, more than one key, or more than one id, needs --yes. What was shown is what is ended: keys that are made meanwhile are not.',
    'A second call changes nothing: the first reason stays. A successor is a key of its own and stays valid.',
    'With --wait it prints how many services refuse the keys, and after how long; or which have not said so. The keys are ended in either case. A second call asks again, also where it finds no key that is left to end.',
  ],
  refusesRepeated: true,
  options: {
    subject: { value: 'TEXT', help: 'keys of this subject' },
    tenant: { value: 'TEXT', help: 'keys of this tenant' },
    unused: { value: 'DURATION', help: 'keys that were not used for that long, such as 90d' },
    reason: { value: 'TEXT', help: 'why, for the record' },
    actor: { value: 'TEXT', help: 'who revokes them, for the record' },
    yes: { help: 'do not ask' },
    ...WAIT_OPTION,
    'dry-run': { help: 'show what would be ended, and end nothing' },
    ...STORE_OPTIONS,
  },
  operand: { name: 'ID', least: 0, most: Number.POSITIVE_INFINITY },
  examples: [
    "vantage-auth keys revoke Cvr9ZyvaWKKY --reason 'found in a public repository'",
    'vantage-auth keys revoke Cvr9ZyvaWKKY --wait 10s',
    'vantage-auth keys revoke --tenant acme --unused 90d --dry-run',
    "cat leaked.txt | vantage-auth keys revoke - --yes --reason 'laptop stolen'",
  ],
  exitCodes:
    '0; 1 when a key was not ended: for an unknown id, one that does not meet the filters, a no, or trouble with the store, and with --wait when a service has not confirmed; 2 for a wrong argument, and when --yes is missing: then nothing was ended.',
  async run(given) {
    const options = {
      reason: checkOptionalText(given.text('reason'), 'reason'),
      actor: checkOptionalText(given.text('actor'), 'actor'),
    }
    const wait = readAnswerDuration(given, 'wait')
    const choice = await readKeyChoice(given)
    const isDryRun = given.is('dry-run')
    if (isDryRun && wait !== undefined)
      throw new UsageError('--wait does not go with --dry-run: nothing is ended, so there is nothing to wait for')
    return withKeyring(given, { reads: isDryRun }, async (keyring, store) => {
      let found = 0
      const chosen = await withProgress(
        () => `${found} keys found`,
        () =>
          findChosenKeys(keyring, choice, (count) => {
            found = count
          }),
      )
      const isAbsent = choice.isOne && chosen.unknown.length > 0
      if (isAbsent && wait === undefined) throw notFound(chosen.unknown)
      if (isDryRun) {
        showOnly(given, choice, chosen)
        return complainOfOthers(chosen)
      }
      if (!(await isWanted(given, choice, chosen.keys))) {
        notice('Nothing was ended.')
        return EXIT.trouble
      }
      const end = choice.isOne && !isAbsent ? endOne : endAll
      return end(given, keyring, chosen, options, wait === undefined ? undefined : { store, wait })
    })
  },
}

/** @throws {UsageError} when there is nobody to ask */
async function isWanted(given: Arguments, { ids = [] }: KeyChoice, keys: readonly KeyRecord[]): Promise<boolean> {
  if (given.is('yes') || keys.length === 0) return true
  // Whoever pipes ids in cannot answer.
  if (canAsk() && !given.operands.includes('-')) {
    const what = keys.length === 1 ? 'This key' : `These ${keys.length} keys`
    printError(`${what} will be ended at once and for good:\n`)
    // Beside the question: standard output may be a pipe.
    printError(formatKeys(keys, outputColumns(process.stderr)))
    return confirm(keys.length === 1 ? 'End it?' : 'End them?')
  }
  // Of several ids one may be the only one that is right: whether --yes is needed must not hang on a slip of the others.
  if (keys.length === 1 && ids.length <= 1) return true
  const what = ids.length > keys.length ? `${keys.length} of ${ids.length} keys` : `${keys.length} keys`
  throw new UsageError(`--yes is missing: it would end ${what}, and there is nobody to ask`)
}

function showOnly(given: Arguments, { isOne }: KeyChoice, { keys, revoked, unknown, unmatched }: ChosenKeys): void {
  if (given.is('json')) {
    if (isOne) printJson(keys[0] ?? revoked[0])
    else
      printJson({
        wouldRevoke: keys,
        already: revoked,
        unknown: showIds(unknown),
        ...(unmatched.length > 0 && { unmatched }),
      })
    return
  }
  if (keys.length > 0) printKeys(keys)
  for (const record of revoked) notice(`${record.id} is ${describeFirst(record)}.`)
  notice(`It would end ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}. Nothing was ended.`)
}

/** Whose services are asked, and for how long. */
interface Asked {
  readonly store: KeyStore
  readonly wait: Duration
}

async function endOne(
  given: Arguments,
  keyring: Keyring,
  { keys: [key], revoked: [before] }: ChosenKeys,
  options: RevokeKeyOptions,
  asked: Asked | undefined,
): Promise<number> {
  const one = key ?? before
  if (one === undefined) return EXIT.ok
  const { record, confirmation } =
    asked === undefined
      ? { record: await keyring.revoke(one.id, options), confirmation: undefined }
      : await waitForServices(given, asked.store, 'The key is', asked.wait, (keyring) =>
          keyring.revoke(one.id, { ...options, confirm: asked.wait }),
        )
  if (before !== undefined && !given.is('json')) notice(`Key ${record.id} was ${describeFirst(record)}.`)
  if (given.is('json')) printJson({ ...record, confirmation })
  else printRecord(given, record)
  return tellConfirmation(given, confirmation)
}

async function endAll(
  given: Arguments,
  keyring: Keyring,
  chosen: ChosenKeys,
  options: RevokeKeyOptions,
  asked: Asked | undefined,
): Promise<number> {
  const isJson = given.is('json')
  const revoked: KeyRecord[] = []
  const unknown = [...chosen.unknown]
  let confirmation: Confirmation | undefined
  const tell = (record: KeyRecord, what: string) => {
    if (!isJson) print(`${printable(`${record.id}  ${what}`)}\n`)
  }
  const end = async () => {
    for (const { id } of chosen.keys) {
      try {
        const record = await keyring.revoke(id, options)
        revoked.push(record)
        tell(record, 'revoked')
      } catch (error) {
        // Somebody has deleted it since it was shown.
        if (!(error instanceof KeyNotFoundError)) throw error
        unknown.push(id)
      }
    }
  }
  const { keys, revoked: before, unknown: absent, unmatched: others } = chosen
  if (!isJson && keys.length + before.length + absent.length + others.length === 0) notice('There are no such keys.')
  for (const record of chosen.revoked) tell(record, describeFirst(record))
  try {
    // On a terminal each key that is ended is a line, and says how far it is.
    await (outputColumns() === undefined
      ? withProgress(() => `${revoked.length} of ${chosen.keys.length} keys`, end)
      : end())
    if (asked !== undefined) confirmation = await confirmAll(given, before.length + revoked.length, asked)
  } catch (error) {
    // One error is told, and this is not the one.
    if (unknown.length > 0) notice(`${notFound(unknown).message}.`)
    throw error
  } finally {
    // Also what was ended before the store failed.
    if (isJson) {
      const { revoked: already, unmatched } = chosen
      const document = { revoked, already, unknown: showIds(unknown), ...(unmatched.length > 0 && { unmatched }) }
      printJson({ ...document, confirmation })
    }
  }
  const isConfirmed = tellConfirmation(given, confirmation) === EXIT.ok
  const code = complainOfOthers({ ...chosen, unknown })
  return isConfirmed ? code : EXIT.trouble
}

/**
 * One question behind the last write is enough: who answers it has heard of everything that was committed before. It is asked
 * as well where no key was left to end: an earlier call may have ended them, and had no answer.
 */
async function confirmAll(given: Arguments, count: number, { store, wait }: Asked): Promise<Confirmation> {
  const subject = count === 0 ? undefined : count === 1 ? 'The key is' : 'The keys are'
  try {
    return await askForConfirmation(given, store, subject, wait)
  } catch (cause) {
    const fault = (what: string) =>
      `whether the services of this key store refuse ${what} could not be asked: ${describeCause(cause)}`
    if (subject === undefined)
      throw new KeyStoreError(`No key was left to end; ${fault('what was revoked before')}`, { cause })
    throw new CommandError(UnconfirmedError.code, `${subject} revoked, but ${fault(count === 1 ? 'it' : 'them')}`, {
      cause,
    })
  }
}

/** @throws {KeyNotFoundError} for ids that no key has */
function complainOfOthers({ unknown, unmatched }: ChosenKeys): number {
  if (unmatched.length > 0)
    notice(`Not ended, since the filters leave them out: ${formatIds(unmatched.map(({ id }) => id))}.`)
  if (unknown.length > 0) throw notFound(unknown)
  return unmatched.length > 0 ? EXIT.trouble : EXIT.ok
}

function notFound(ids: readonly string[]): KeyNotFoundError {
  return new KeyNotFoundError(`There is no key with the id ${formatIds(ids)}`)
}

function describeFirst({ revokedReason }: KeyRecord): string {
  return `already revoked (first reason: ${revokedReason ?? 'none'})`
}
