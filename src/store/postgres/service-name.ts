import type { AskedService } from '../contract.js'
import { serviceText, thisService } from '../this-service.js'
import { type Ask, FALLBACK_NAME } from './connections.js'

// What the services of a store say of themselves stands in the database's list of sessions, as the application_name of the
// session over which each listens. Every role sees it there, and nobody but the session itself can set it: an answer that
// stands there cannot be forged, and costs the other sessions nothing, where a notification would wake each of them.
//
//   vantage-auth <feed> <process>@<host> <application>
//   vantage-auth <feed> <since>.<snapshot>.<newest change> <process>@<host> <application>
//
// The second form is an answer: whatever was committed before that snapshot was taken has been heard of. Numbers are in
// base 36.

/** What PostgreSQL keeps of an application_name. */
const LONGEST_NAME = 63
/** How many characters of the id of the log tell the stores of one database apart. */
const FEED_LENGTH = 8
const NAME =
  /^vantage-auth \S{1,8} (?:([0-9a-z]{1,9})\.([0-9a-z]{1,13})\.([0-9a-z]{1,13}) )?(\d{1,10})@(\S{0,63})(?: (\S{0,63}))?$/

const READ_NAME = `SELECT pg_catalog.current_setting('application_name') AS name`
const SET_NAME = `SELECT pg_catalog.set_config('application_name', $1::pg_catalog.text, false)`

/** What a service has heard of. */
export interface Heard {
  /** Since when it was heard of without a gap, in milliseconds since the epoch. */
  readonly since: number
  /** The first transaction that the reading could not see, as `txid_snapshot_xmax` has it: later readings have larger ones. */
  readonly snapshot: string
  /** The number of the newest change. */
  readonly seq: string
}

/** What the name of a session says. The numbers are absent where it is no answer. */
export interface NamedService extends Pick<AskedService, 'host' | 'applicationName'> {
  readonly pid: number
  readonly since?: number
  readonly snapshot?: bigint
  readonly heardOf?: string
}

/** What the sessions and the questions of one store begin with. */
export function feedName(feed: string): string {
  return feed.slice(0, FEED_LENGTH)
}

/** @returns `undefined` for a session that is no service. Any role may call its session what it likes. */
export function parseServiceName(name: string): NamedService | undefined {
  const [, since, snapshot, heardOf, pid, host, application] = NAME.exec(name) ?? []
  if (pid === undefined) return undefined
  const service = {
    pid: Number(pid),
    host: serviceText(host ?? ''),
    applicationName: serviceText(application ?? ''),
  }
  if (since === undefined || snapshot === undefined || heardOf === undefined) return service
  return {
    ...service,
    since: Number.parseInt(since, 36),
    snapshot: readNumber(snapshot),
    heardOf: String(readNumber(heardOf)),
  }
}

/** The name of one session, in the database's list. */
export interface SessionName {
  /** The log whose service it is called; `undefined` while it has the name that its connection gave it. */
  readonly feed: string | undefined
  /**
   * @param feed the log that the services of this process follow; `undefined` without any
   * @param answer what they have heard of, where that was asked
   */
  set(feed: string | undefined, answer?: Heard): Promise<void>
}

export function createSessionName(ask: Ask): SessionName {
  const shown = { feed: undefined as string | undefined, name: undefined as string | undefined }
  let given: string | undefined

  return {
    get feed() {
      return shown.feed
    },

    async set(feed, answer) {
      if (feed === undefined && shown.name === undefined) return
      given ??= String((await ask(READ_NAME)).rows[0]?.name ?? '')
      const name = feed === undefined ? given : formatName(given, feed, answer && inBase36(answer).join('.'))
      if (name !== shown.name) await ask(SET_NAME, [name])
      shown.feed = feed
      shown.name = name
    },
  }
}

function formatName(given: string, feed: string, answer: string | undefined): string {
  const { pid, host, applicationName } = thisService(given === '' || given === FALLBACK_NAME ? undefined : given)
  const start = ['vantage-auth', feedName(feed), ...(answer === undefined ? [] : [answer]), `${pid}@`].join(' ')
  const room = LONGEST_NAME - start.length - 1
  // What a host and a program have in their names to be told apart by stands at the end of the one, and at the start of the
  // other.
  const application = (applicationName ?? '').slice(0, Math.max(room >> 1, room - (host ?? '').length))
  return `${start}${shorten(host ?? '', room - application.length)} ${application}`
}

/** @returns the start and the end of a text, and a mark in between, where it is too long */
function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text
  const end = (longest - 1) >> 1
  return `${text.slice(0, longest - 1 - end)}~${text.slice(text.length - end)}`
}

function inBase36({ since, snapshot, seq }: Heard): string[] {
  return [since, snapshot, seq].map((number) => BigInt(number).toString(36))
}

function readNumber(digits: string): bigint {
  return [...digits].reduce((number, digit) => number * 36n + BigInt(Number.parseInt(digit, 36)), 0n)
}
