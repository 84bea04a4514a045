import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { isMainThread } from 'node:worker_threads'

/** By what a process is told from another one that has the same number, elsewhere or later. */
export interface ProcessMark {
  /** Within what process numbers are unique; `null` where that is not known. */
  readonly pidSpace: string | null
  /** When it started, as the system counts; `null` where that is not known, and for a worker, which may end before it. */
  readonly started: string | null
}

let mark: ProcessMark | undefined

export function thisProcess(): ProcessMark {
  mark ??= { pidSpace: pidSpace(), started: isMainThread ? (readStat(process.pid)?.started ?? null) : null }
  return mark
}

/** Whether it can be known from here that a service is there still: its process is. */
export function canBeLookedUp({ pidSpace, started }: ProcessMark): boolean {
  return pidSpace !== null && started !== null && pidSpace === thisProcess().pidSpace
}

/** Whether a process is known to have ended. One that cannot be looked up from here, as in another container, is not. */
export function hasEnded(pid: number | null, { pidSpace, started }: ProcessMark): boolean {
  // Numbers below 1 name groups of processes.
  if (pid === null || !(pid > 0) || pidSpace === null || pidSpace !== thisProcess().pidSpace) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true
  }
  const now = started === null ? undefined : readStat(pid)
  return now !== undefined && (now.started !== started || now.isDead)
}

/** On Linux the boot and the namespace: containers may have equal host names, and each counts from 1. */
function pidSpace(): string | null {
  if (process.platform !== 'linux') return hostname()
  try {
    // The files of another namespace tell of other processes.
    if (readlinkSync('/proc/self') !== String(process.pid)) return null
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return null
  }
}

/** @returns `undefined` where the system does not say */
function readStat(pid: number): { readonly started: string; readonly isDead: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the name of the program, in parentheses, and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, started] = [fields[0], fields[19]]
    return started === undefined ? undefined : { started, isDead: state === 'Z' || state === 'X' }
  } catch {
    return undefined
  }
}
