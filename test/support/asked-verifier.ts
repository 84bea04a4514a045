import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createVerifier } from '../../src/index.js'

/** A verifier in a process of its own, of which standard error can be read. */
export interface AskedVerifier {
  /** Decides, and resolves to the code of the error, or `accepted`. */
  ask(credential: string): Promise<string>
  /** Moves the clock of the verifier. */
  advance(ms: number): void
  /** What was written to standard error. */
  stderr(): string
  /** Closes this end of its standard error. */
  stopReadingStderr(): void
  /** Lines about outages, without their beginning. */
  notices(): string[]
  /** Closes the verifier, and resolves once the process has ended by itself. */
  close(): Promise<void>
}

/** @param stderrFile descriptor of a file to which standard error goes, so that it cannot be read here */
export async function startAskedVerifier(
  options: object,
  env: NodeJS.ProcessEnv = {},
  stderrFile?: number,
): Promise<AskedVerifier> {
  const { NODE_DEBUG: _, ...inherited } = process.env
  const child = spawn(process.execPath, ['--no-warnings', '--import', 'tsx', fileURLToPath(import.meta.url)], {
    env: { ...inherited, ASKED_VERIFIER: JSON.stringify(options), ...env },
    stdio: ['pipe', 'pipe', stderrFile ?? 'pipe'],
  })
  if (child.stdin === null || child.stdout === null) throw new Error('the process has no pipes')
  const { stdin, stdout } = child
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const answers = createInterface(stdout)[Symbol.asyncIterator]()
  const exited = once(child, 'close')
  return {
    async ask(credential) {
      stdin.write(`${credential}\n`)
      const { value, done } = await answers.next()
      if (done) throw new Error(`the verifier has ended: ${stderr}`)
      return value
    },
    advance: (ms) => void stdin.write(`+${ms}\n`),
    stderr: () => stderr,
    stopReadingStderr: () => void child.stderr?.destroy(),
    notices: () =>
      stderr
        .split('\n')
        .flatMap((line) => (line.startsWith('vantage-auth: ') ? [line.slice('vantage-auth: '.length)] : [])),
    async close() {
      stdin.end()
      await exited
    },
  }
}

if (process.env.ASKED_VERIFIER !== undefined) {
  let advanced = 0
  const verifier = createVerifier({ ...JSON.parse(process.env.ASKED_VERIFIER), clock: () => Date.now() + advanced })
  for await (const line of createInterface(process.stdin)) {
    if (line.startsWith('+')) {
      advanced += Number(line)
      continue
    }
    const outcome = await (async () => verifier.authenticate({ authorization: `Bearer ${line}` }))().then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    )
    process.stdout.write(`${outcome}\n`)
  }
  await verifier.close()
}
