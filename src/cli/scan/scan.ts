import { realpathSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { checkOptionalText, checkText } from '../../keyring/arguments.js'
import { type Arguments, type Command, CommandError, EXIT, UsageError } from '../command.js'
import { isUnread } from '../output.js'
import { checkFormat } from '../pages.js'
import { STORE_OPTIONS, withKeyring } from '../store.js'
import { withProgress } from '../terminal.js'
import { describeFault, findInputs, type Input, openInput } from './input-files.js'
import { createKeyFinder, type FoundKey, type KeyFinder, WINDOW_SIZE } from './key-finder.js'
import { count, createReport, formatBytes, type Leak, showPath, type Unreadable } from './report.js'
import { createRevoker, type Outcome } from './revoke-found.js'

const STDIN = '-'
const DEFAULT_REASON = 'found by vantage-auth scan'

export const scan: Command = {
  usage: 'PATH…|- [options]',
  summary: 'find leaked keys in files, logs and diffs',
  about: [
    'Files and folders, or - for standard input. A key is found by its prefix and checksum, whatever stands beside it, in text and in binary files. What is called .git, links, devices and pipes in a folder are passed over; compressed files are not unpacked.',
    'A line of the output is path:line:column id. The column counts bytes. A path that is a diff, and a diff on standard input, is told by its own files and lines: those of the new file, or of the old one for a line that the diff removes.',
    '--revoke ends a key only if its whole text is the one of a key in the store: an id, and a checksum, can be made up by whoever writes into a log.',
  ],
  options: {
    added: { help: 'of a diff only the lines that it adds' },
    revoke: { help: 'end the keys that are found, at once and for good; needs --yes and a store' },
    yes: { help: 'with --revoke: do it' },
    reason: { value: 'TEXT', help: `with --revoke: why, for the record (default ${DEFAULT_REASON})` },
    actor: { value: 'TEXT', help: 'with --revoke: who revokes them, for the record' },
    jsonl: { help: 'print one JSON document a line for each finding' },
    ...STORE_OPTIONS,
  },
  operand: { name: 'PATH', most: Number.POSITIVE_INFINITY },
  examples: [
    'vantage-auth scan src config .env',
    'git log -p --all | vantage-auth scan -',
    'git diff --cached | vantage-auth scan --added -',
    'vantage-auth scan /var/log/nginx --revoke --yes',
  ],
  exitCodes:
    '0 when there is no key; 3 when there is one, also beside a path that cannot be read; 1 for a path that cannot be read, the others are scanned all the same, and for trouble with the store under --revoke; 2 for a wrong argument.',
  async run(given) {
    checkArguments(given)
    if (!given.is('revoke')) return scanAll(given)
    // Checked here: the first revocation would come after much work, or never.
    const record = {
      reason: checkText(given.text('reason') ?? DEFAULT_REASON, 'reason'),
      actor: checkOptionalText(given.text('actor'), 'actor') ?? undefined,
    }
    return withKeyring(given, {}, async (keyring, store) => {
      let failure: { readonly error: unknown } | undefined
      const revoke = createRevoker(keyring, store, record, (error) => {
        failure = { error }
      })
      const code = await scanAll(given, revoke)
      if (failure !== undefined) throw failure.error
      return code
    })
  },
}

function checkArguments(given: Arguments): void {
  const revokes = given.is('revoke')
  for (const option of ['yes', 'reason', 'actor', 'store']) {
    if (!revokes && (given.is(option) || given.text(option) !== undefined)) {
      throw new UsageError(`--${option} goes with --revoke`)
    }
  }
  if (revokes && !given.is('yes')) throw new UsageError('--revoke ends keys at once and for good: add --yes')
  checkFormat(given)
  if (given.operands.includes('')) throw new UsageError('PATH is empty')
  if (given.operands.filter((operand) => operand === STDIN).length > 1) throw new UsageError('only one PATH can be -')
}

async function scanAll(given: Arguments, revoke?: (found: FoundKey) => Promise<Outcome>): Promise<number> {
  const report = createReport(given.is('json') ? 'json' : given.is('jsonl') ? 'jsonl' : 'text')
  const progress = { files: 0, bytes: 0 }
  let found = 0
  const unreadable: { first?: Unreadable; count: number } = { count: 0 }
  const fault = (one: Unreadable) => {
    unreadable.first ??= one
    unreadable.count++
    report.unreadable(one)
  }
  // Whoever saw a finding and went away knows enough. Keys that are to be ended are ended all the same.
  const isOver = () => revoke === undefined && isUnread()
  const tell = async (path: string, keys: readonly FoundKey[]) => {
    for (const key of keys) {
      if (given.is('added') && key.change !== undefined && key.change !== 'added') continue
      if (isOver()) return
      found++
      const outcome = await revoke?.(key)
      await report.found(findingOf(path, key, outcome))
    }
  }

  const describe = () => `${count(progress.files, 'file')}, ${formatBytes(progress.bytes)}, ${count(found, 'finding')}`
  await withProgress(describe, () => scanInputs(given.operands, progress, tell, fault, isOver))
  await report.end(progress)
  if (found > 0) return EXIT.found
  if (unreadable.first === undefined) return EXIT.ok
  if (!given.is('json') && !given.is('jsonl')) return EXIT.trouble
  throw new CommandError(
    'ERR_VANTAGE_SCAN_INCOMPLETE',
    `${count(unreadable.count, 'path')} could not be read; the first one, ${unreadable.first.path}, ${unreadable.first.fault}`,
  )
}

/** What is told of a key: nothing secret. */
function findingOf(path: string, found: FoundKey, outcome: Outcome | undefined): Leak {
  const { line, column, id, environment, change } = found
  return {
    path: found.path === undefined ? path : showPath(found.path),
    line,
    column,
    id,
    environment,
    ...(change !== undefined && { change }),
    ...(outcome !== undefined && { outcome }),
  }
}

type Tell = (path: string, keys: readonly FoundKey[]) => Promise<void>

/** How long files are read before signals, timers and the reader of our output get a turn. */
const TURN_MS = 100

async function scanInputs(
  operands: readonly string[],
  progress: { files: number; bytes: number },
  tell: Tell,
  fault: (one: Unreadable) => void,
  isOver: () => boolean,
): Promise<void> {
  const buffer = Buffer.alloc(WINDOW_SIZE)
  /** Files that were scanned, where two operands may lead to the same. */
  const scanned = operands.length > 1 ? new Set<string>() : undefined
  let turnAt = performance.now() + TURN_MS
  async function take(path: string, finder: KeyFinder, bytes: number): Promise<void> {
    progress.bytes += bytes
    const keys = bytes === 0 ? finder.end() : finder.read(bytes)
    if (keys.length > 0) await tell(path, keys)
    if (performance.now() < turnAt) return
    await nextTurn()
    turnAt = performance.now() + TURN_MS
  }

  async function scanFile(input: { readonly path: Buffer; readonly isOperand: boolean }): Promise<void> {
    const file = openInput(input)
    try {
      // A diff among the files of a folder is a file of it, and to be changed there.
      const finder = createKeyFinder(buffer, { readDiff: input.isOperand })
      for (let bytes = -1; bytes !== 0 && !isOver(); ) {
        bytes = file.read(finder.space())
        await take(showPath(input.path), finder, bytes)
      }
      progress.files++
    } finally {
      file.close()
    }
  }

  async function scanStdin(): Promise<void> {
    const finder = createKeyFinder(buffer, { readDiff: true })
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      if (isOver()) return
      for (let at = 0; at < chunk.length; ) {
        const bytes = chunk.copy(finder.space(), 0, at)
        await take(STDIN, finder, bytes)
        at += bytes
      }
    }
    await take(STDIN, finder, 0)
    progress.files++
  }

  for (const operand of operands) {
    if (operand === STDIN) await attempt(STDIN, scanStdin)
    else
      for (const input of findInputs(operand))
        if (!isOver()) await attempt(showPath(input.path), () => scanInput(input))
  }

  async function scanInput(input: Input): Promise<void> {
    if ('fault' in input) return fault({ path: showPath(input.path), fault: input.fault })
    // A diff that was found in a folder was read as it stands, and may be named to be read as a diff.
    const real = scanned && `${input.isOperand} ${realpathSync(input.path, 'latin1')}`
    if (real !== undefined && scanned?.has(real)) return
    await scanFile(input)
    if (real !== undefined) scanned?.add(real)
  }

  /** What cannot be read is told, and the others are scanned all the same. */
  async function attempt(path: string, read: () => Promise<void>): Promise<void> {
    try {
      await read()
    } catch (error) {
      if (!isFileError(error)) throw error
      fault({ path, fault: describeFault(error) })
    }
  }
}

/** Whether the operating system refused: its codes have no underscore, and those of Node and of this package have one. */
function isFileError(error: unknown): boolean {
  return error instanceof Error && /^E[A-Z0-9]+$/.test(String((error as NodeJS.ErrnoException).code))
}
