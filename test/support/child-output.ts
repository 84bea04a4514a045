import type { ChildProcess } from 'node:child_process'

/** What a process wrote and how it ended. */
export interface ChildOutput {
  readonly stdout: string
  readonly stderr: string
  /** `null` when a signal ended it. */
  readonly code: number | null
}

/** Resolves once the process has ended and its output is read to the end. */
export function outputOf(child: ChildProcess): Promise<ChildOutput> {
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ stdout, stderr, code }))
  })
}
