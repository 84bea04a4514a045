import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs'

/** A file that is to be scanned, or what could not be read. */
export type Input =
  | { readonly path: Buffer; readonly isOperand: boolean }
  | { readonly path: Buffer; readonly fault: string }

// Opening a pipe must not wait for whoever writes to it. A file that was found may be a link by now; one that was named may be one.
const WALKED = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const NAMED = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

// /proc, /sys, debugfs and tracefs. Their files hold no text at rest; some never end, and reading some changes something.
const KERNEL_FILE_SYSTEMS: readonly number[] = [0x9fa0, 0x62656572, 0x64626720, 0x74726163]

/**
 * The files below a path, in the order of their names' bytes. Links, devices, pipes and sockets are passed over, and so is
 * whatever is called `.git`. The path itself may be a link, or be called so: somebody has named it.
 *
 * Paths are bytes, since a name need not be UTF-8.
 */
export function* findInputs(operand: string): Generator<Input> {
  const path = Buffer.from(operand)
  let stats: Stats
  try {
    stats = statSync(path)
  } catch (error) {
    yield { path, fault: describeFault(error) }
    return
  }
  if (stats.isFile()) yield { path, isOperand: true }
  else if (stats.isDirectory()) yield* walk(path, stats.dev)
  else
    yield { path, fault: 'is neither a file nor a folder; to read a pipe or a device give it to: vantage-auth scan -' }
}

function* walk(folder: Buffer, device: number): Generator<Input> {
  let entries: Dirent<Buffer>[]
  let own: number
  try {
    own = statSync(folder).dev
    if (own !== device && KERNEL_FILE_SYSTEMS.includes(statfsSync(folder).type)) return
    entries = readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    yield { path: folder, fault: describeFault(error) }
    return
  }
  entries.sort((a, b) => Buffer.compare(a.name, b.name))
  for (const entry of entries) {
    if (entry.name.toString('latin1') === '.git') continue
    const path = join(folder, entry.name)
    if (entry.isFile()) yield { path, isOperand: false }
    else if (entry.isDirectory()) yield* walk(path, own)
  }
}

function join(folder: Buffer, name: Buffer): Buffer {
  const separator = folder.at(-1) === 0x2f ? '' : '/'
  return Buffer.concat([folder, Buffer.from(separator), name])
}

/** A file, opened for reading. */
export interface OpenFile {
  /** @returns how many bytes were read; 0 at the end */
  read(into: Buffer): number
  close(): void
}

/**
 * Opens a file. It may have been replaced since it was found: a pipe in its place is not waited for, and a link is not
 * followed unless it was named.
 *
 * @throws {Error} of the file system
 */
export function openInput({ path, isOperand }: { path: Buffer; isOperand: boolean }): OpenFile {
  const file = openSync(path, isOperand ? NAMED : WALKED)
  const stats = fstatSync(file)
  if (!stats.isFile()) {
    closeSync(file)
    throw Object.assign(new Error(), { code: 'EINVAL' })
  }
  // A log may be written faster than it is read. Files of the kernel say that they are empty.
  let rest = stats.size > 0 ? stats.size : Number.POSITIVE_INFINITY
  return {
    read(into) {
      const bytes = rest === 0 ? 0 : readSync(file, into, 0, Math.min(into.length, rest), null)
      rest -= bytes
      return bytes
    },
    close: () => closeSync(file),
  }
}

/** What keeps a path from being read, without the path. */
export function describeFault(error: unknown): string {
  const { code } = error as { code?: unknown }
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'is not there'
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user'
    case 'ELOOP':
    case 'EINVAL':
      return 'is no file any more'
    case 'ENAMETOOLONG':
      return 'has a path that is too long'
    default:
      return `cannot be read (${typeof code === 'string' ? code : 'unknown error'})`
  }
}
