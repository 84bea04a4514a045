import { formatChoice } from '../core/choice.js'
import { type Command, type Option, synopsisOf } from './command.js'
import { paint, widthOf } from './terminal.js'

const NAME_COLUMN = 23
const INDENT = '  '

/** Fills lines with the words of a text. A word that is longer than a line gets one of its own. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width - indent.length) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${indent}`)
}

export function heading(text: string): string {
  return paint('bold', text)
}

/** Names and what they mean, in two columns. A long name has its meaning in the next line. */
export function formatList(entries: readonly (readonly [string, string])[], width: number, column: number): string {
  const indent = ' '.repeat(column)
  return entries
    .map(([name, meaning]) => {
      const start = `${INDENT}${name}`
      const separator = start.length + 2 <= column ? ' '.repeat(column - start.length) : `\n${indent}`
      return `${start}${separator}${wrap(meaning, width, indent)}\n`
    })
    .join('')
}

/** @param name as it is typed behind the program: `keys show` */
export function formatHelp(name: string, command: Command, width: number): string {
  const options = Object.entries(command.options).map(([option, is]) => [wordOf(option, is), meaningOf(is)] as const)
  const sections = [
    wrap(command.summary, width),
    formatUsage(name, command, width),
    ...(command.about ?? []).map((paragraph) => wrap(paragraph, width)),
    `${heading('Options:')}\n${formatList([...options, ['--help', 'this text']], width, NAME_COLUMN)}`.trimEnd(),
    `${heading('Examples:')}\n${formatExamples(command.examples, width)}`.trimEnd(),
    ...(command.exitCodes === undefined ? [] : [wrap(`Exit codes: ${command.exitCodes}`, width)]),
  ]
  return `${sections.join('\n\n')}\n`
}

export function formatUsage(name: string, command: Command, width: number): string {
  const { usage, options, operand } = command
  const needed = Object.entries(options).filter(([, { required }]) => required)
  const words = [
    ...needed.map(([option, is]) => wordOf(option, is)),
    ...(operand ? [synopsisOf(operand)] : []),
    '[options]',
  ]
  return wrap(`Usage: vantage-auth ${name} ${usage ?? words.join(' ')}`, width, INDENT)
}

function wordOf(option: string, { value, alone }: Option): string {
  if (value === undefined) return `--${option}`
  return `--${option} ${alone === undefined ? value : `[${value}]`}`
}

/** What the help says of an option: its sentence, variable and default. */
export function meaningOf({ help, choices = [], default: otherwise, variable, required }: Option): string {
  return [
    help ?? formatChoice(choices),
    variable === undefined ? '' : `[${variable}]`,
    otherwise === undefined ? '' : `(default ${otherwise})`,
    required ? '(required)' : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
}

/** Lines to paste, which go on in the next line before an option, or behind a pipe. */
export function formatExamples(examples: readonly string[], width: number): string {
  return examples
    .map((example) => {
      const lines: string[] = []
      let line = INDENT
      for (const part of example.split(/ (?=--|< |\| |-- )/)) {
        if (line.trim() !== '' && widthOf(line) + part.length + 3 > width) {
          lines.push(`${line} \\`)
          line = `${INDENT}${INDENT}${part}`
        } else line += line === INDENT ? part : ` ${part}`
      }
      return `${[...lines, line].join('\n')}\n`
    })
    .join('')
}
