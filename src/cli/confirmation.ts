import type { Duration } from '../core/duration.js'
import { KeyStoreError } from '../core/errors.js'
import type { Confirmation, Keyring, ServiceName } from '../keyring/contract.js'
import { createKeyring } from '../keyring/keyring.js'
import { confirmEarlier, readAnswerTime } from '../keyring/services.js'
import type { KeyStore } from '../store/contract.js'
import { sqlitePath } from '../store/open.js'
import { type Arguments, EXIT, type Options, readDuration } from './command.js'
import { print } from './output.js'
import { storeUrl } from './store.js'
import { printTable } from './table.js'
import { notice } from './terminal.js'

/** What a command that revokes takes to have it confirmed. */
export const WAIT_OPTION: Options = {
  wait: {
    value: 'DURATION',
    help: 'wait until each service that follows the store has said that it refuses them: 5s at most, or as long as given, 1s to 10m; exit code 1 when one has not',
    alone: '5s',
  },
}

/** How long services have to answer. `undefined` where they are not to be asked. */
export function readAnswerDuration(given: Arguments, option: string): Duration | undefined {
  const duration = readDuration(given, option, { unit: 's', minimumSeconds: 0 })
  if (duration !== undefined) readAnswerTime(duration, `--${option}`)
  return duration
}

const ANNOUNCED_AFTER_MS = 500

/**
 * Runs what revokes and then waits for services. Where the wait takes long it says that it is revoked, once that is
 * written: whoever ends the command then knows. Not under `--json`, where an error has to stand alone.
 *
 * @param subject whom it says that of: `The key is`
 * @param work revokes with the keyring that it is given
 */
export async function waitForServices<T>(
  given: Arguments,
  store: KeyStore,
  subject: string,
  wait: Duration,
  work: (keyring: Keyring) => Promise<T>,
): Promise<T> {
  const announcement = createAnnouncement(given, `${subject} revoked; waiting`, wait)
  try {
    return await work(createKeyring(telling(store, announcement.begin), { migrate: false }))
  } finally {
    announcement.end()
  }
}

/**
 * Asks the services of the store, and revokes nothing. Says that it waits as {@link waitForServices} does.
 *
 * @param subject what is revoked by now: `The keys are`. `undefined` where nothing was left to revoke
 * @throws {KeyStoreError} (rejects with it) where the services cannot be asked
 */
export async function askForConfirmation(
  given: Arguments,
  store: KeyStore,
  subject: string | undefined,
  wait: Duration,
): Promise<Confirmation> {
  const { askServices } = store
  if (askServices === undefined) throw new KeyStoreError('This key store cannot ask the services that follow it')
  const announcement = createAnnouncement(
    given,
    subject === undefined ? 'Waiting' : `${subject} revoked; waiting`,
    wait,
  )
  announcement.begin()
  try {
    return await confirmEarlier(askServices.bind(store), readAnswerTime(wait, '--wait'))
  } finally {
    announcement.end()
  }
}

/** Says what is waited for, once that takes long. */
function createAnnouncement(given: Arguments, start: string, wait: Duration) {
  let timer: NodeJS.Timeout | undefined
  const tell = () => notice(`${start} up to ${wait} for the services that follow the store`)
  return {
    begin(): void {
      if (!given.is('json')) timer = setTimeout(tell, ANNOUNCED_AFTER_MS)
    },
    end(): void {
      clearTimeout(timer)
    },
  }
}

/** A store that tells when what services are asked about is written. */
function telling(store: KeyStore, onWritten: () => void): KeyStore {
  const { askServices } = store
  if (askServices === undefined) return store
  return {
    ...store,
    askServices(limitMs, written) {
      // Where it fails whoever writes tells.
      written?.then(onWritten, () => {})
      return askServices.call(store, limitMs, written)
    },
  }
}

/** How a service is named in a table. */
export const NAME_COLUMNS = [{ title: 'APPLICATION', cut: true }, { title: 'HOST', cut: true }, 'PROCESS']

export function nameCells({ applicationName, host, pid }: ServiceName): (string | null)[] {
  return [applicationName, host, pid === null ? null : String(pid)]
}

/** Says that no service follows the store, and why that may be. */
export function noticeNobodyFollows(given: Arguments): void {
  const unasked =
    sqlitePath(storeUrl(given).url) === undefined
      ? 'that only read changes, behind a proxy that pools transactions or from a replica,'
      : 'that may not write the file'
  notice(
    `No service follows this store. One that caches is there soon after its first decision, or after verifier.ready(): is it the store that they use? Those ${unasked} cannot be asked.`,
  )
}

const UNANSWERED =
  'What was revoked stays revoked. Who has not answered may be stopped, or cut off from the store; if it is still there, end it, or ask again. It refuses the credential as soon as it reaches the store; until then it may accept it from its cache for 5 s after the store last answered it, or for as long as its storeMaxStaleSeconds say.'

/**
 * Says who has confirmed a revocation, save under `--json`, where it is a part of the document.
 *
 * @returns the exit code
 */
export function tellConfirmation(given: Arguments, confirmation: Confirmation | undefined): number {
  if (confirmation === undefined) return EXIT.ok
  const { services, confirmed, lastAfterMs, unanswered = [] } = confirmation
  if (!given.is('json')) {
    if (services === 0) noticeNobodyFollows(given)
    else {
      const after = lastAfterMs === null ? '' : ` after ${lastAfterMs} ms`
      print(`refused by ${confirmed} of ${services} ${services === 1 ? 'service' : 'services'}${after}\n`)
    }
    if (unanswered.length > 0) {
      print('no answer from:\n')
      printTable(NAME_COLUMNS, unanswered.map(nameCells))
      notice(UNANSWERED)
    }
  }
  return confirmed === services ? EXIT.ok : EXIT.trouble
}
