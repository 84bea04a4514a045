/**
 * Writes the help texts of the command line into docs/cli.md: `npm run docs:cli`. What a section says behind the help stays. A
 * new command gets a section, and a section of level two that is called like a command moves to it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { formatHelp } from '../src/cli/help.js'
import { allCommands } from '../src/cli/program.js'

const file = new URL('../docs/cli.md', import.meta.url)
const commands = allCommands()
const names = commands.map(([name]) => name)

const [head = '', rest = ''] = readFileSync(file, 'utf8').split(/(?<=\n## Commands\n\n.*\n)/)
const prose = new Map<string, string>()
for (const section of rest.split(/\n(?=##+ )/)) {
  const [, name = '', text = ''] = /^##+ (.*)\n([\s\S]*)$/.exec(section) ?? []
  if (name === '') continue
  if (!names.includes(name)) throw new Error(`docs/cli.md has a section on ${name}, which is no command`)
  const own = text.replace(/^\s*```text\n[\s\S]*?\n```\n/, '').trim()
  prose.set(name, [prose.get(name) ?? '', own].filter((part) => part !== '').join('\n\n'))
}

const sections = commands.map(([name, command]) => {
  const text = prose.get(name) ?? ''
  return `\n### ${name}\n\n\`\`\`text\n${formatHelp(name, command, 80)}\`\`\`\n${text === '' ? '' : `\n${text}\n`}`
})
writeFileSync(file, `${head.trimEnd()}\n${sections.join('')}`)
