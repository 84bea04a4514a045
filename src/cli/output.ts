/** What became of the two streams of this run. */
const streams = {
  /** Whoever read standard output has gone. */
  isUnread: false,
  /** Standard output could not be written for another reason, such as a full disk. */
  isLost: false,
}

/**
 * Keeps a stream that cannot be written from ending the process: a command that changes something has to finish what it
 * began, and its exit code is what it found. A reader that stops early, such as head(1), is no error.
 */
export function watchStreams(): void {
  process.stdout.on('error', noteFault)
  process.stderr.on('error', () => {})
}

function noteFault(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') streams.isUnread = true
  else if (!streams.isUnread) streams.isLost = true
}

/** Whether nobody reads standard output any more: a command that only reads may stop then. */
export function isUnread(): boolean {
  return streams.isUnread
}

/** Whether a part of the output was lost, and nobody knows. */
export function isLost(): boolean {
  return streams.isLost
}

/** Writes to standard output. Does not throw. */
export function print(text: string): void {
  if (streams.isUnread || streams.isLost) return
  try {
    process.stdout.write(text)
  } catch (error) {
    // A file is written at once, and its fault thrown.
    noteFault(error as NodeJS.ErrnoException)
  }
}

/** Writes a part of a long output, and waits until it is written, so that a slow reader does not fill the memory. */
export async function printPart(text: string): Promise<void> {
  if (streams.isUnread || streams.isLost) return
  await new Promise<void>((resolve) => {
    try {
      process.stdout.write(text, (error) => {
        if (error) noteFault(error)
        resolve()
      })
    } catch (error) {
      noteFault(error as NodeJS.ErrnoException)
      resolve()
    }
  })
}

/** Writes to standard error. Does not throw. */
export function printError(text: string): void {
  try {
    process.stderr.write(text)
  } catch {
    // There is nowhere left to say it.
  }
}
