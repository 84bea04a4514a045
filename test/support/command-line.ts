import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll } from 'vitest'
import { temporaryFolder } from '../store/sqlite-files.js'
import { type ChildOutput, outputOf } from './child-output.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** How the command is run. */
export interface Circumstances {
  cwd: string
  env?: Record<string, string> | undefined
  /** A command with its flags that runs the process. */
  through?: string[]
  /** What it reads from standard input. */
  input?: string | Buffer | undefined
}

export interface OnTerminal extends Omit<Circumstances, 'through'> {
  columns: number
  question?: string | undefined
  meanwhile?: (() => void) | undefined
}

export interface ShippedCommand {
  /** Runs the command as a process with pipes. */
  run(words: readonly string[], circumstances: Circumstances): Promise<ChildOutput>
  /**
   * Runs the command on a pseudo-terminal of so many columns. `stdout` is what the terminal shows, of both streams.
   *
   * What is typed is `input`, at once, or when the terminal shows `question`; `meanwhile` is called first.
   */
  runOnTerminal(words: readonly string[], circumstances: OnTerminal): Promise<ChildOutput>
}

/**
 * The command as it is shipped, one file for each source file: it starts in a fraction of the time that tsx takes.
 *
 * @param packages those that are installed beside it; otherwise all that the repository has
 */
export function shippedCommand(packages?: readonly string[]): ShippedCommand {
  const shipped = temporaryFolder()
  beforeAll(() => {
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
    for (const name of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const { outputText } = ts.transpileModule(readFileSync(join(ROOT, 'src', name), 'utf8'), { compilerOptions })
      const output = shipped.path(join('src', name.replace(/\.ts$/, '.js')))
      mkdirSync(dirname(output), { recursive: true })
      writeFileSync(output, outputText)
    }
    copyFileSync(join(ROOT, 'package.json'), shipped.path('package.json'))
    if (packages === undefined) symlinkSync(join(ROOT, 'node_modules'), shipped.path('node_modules'))
    else {
      mkdirSync(shipped.path('node_modules'))
      for (const name of packages) {
        symlinkSync(join(ROOT, 'node_modules', name), shipped.path(join('node_modules', name)))
      }
    }
  })
  afterAll(() => shipped.remove())

  const main = () => shipped.path('src/cli/main.js')

  return {
    run(words, { cwd, env, through = [], input }) {
      const [command = process.execPath, ...flags] = [...through, process.execPath]
      const child = spawn(command, [...flags, main(), ...words], { cwd, env: { PATH: process.env.PATH, ...env } })
      // It may stop reading before the end.
      child.stdin.on('error', () => {})
      if (input !== undefined) child.stdin.end(input)
      return outputOf(child)
    },
    async runOnTerminal(words, { cwd, env, columns, input = '', question, meanwhile }) {
      const command = [process.execPath, main(), ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
      const child = spawn('script', ['-qec', `stty cols ${columns} rows 50; exec ${command}`, '/dev/null'], {
        cwd,
        env: { PATH: process.env.PATH, TERM: 'xterm', ...env },
      })
      const type = () => {
        meanwhile?.()
        child.stdin.write(input)
      }
      if (question === undefined) type()
      else waitFor(child.stdout, question, type)
      const { stdout, stderr, code } = await outputOf(child)
      child.stdin.end()
      return { stdout: stdout.replaceAll('\r\n', '\n'), stderr, code }
    },
  }
}

function waitFor(output: Readable, text: string, then: () => void): void {
  let shown = ''
  const look = (chunk: Buffer | string) => {
    shown += chunk
    if (!shown.includes(text)) return
    output.off('data', look)
    then()
  }
  output.on('data', look)
}
