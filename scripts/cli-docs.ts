/** Writes the help texts of the command line into docs/cli.md: `npm run docs:cli`. A new command gets a section at the end. */
import { readFileSync, writeFileSync } from 'node:fs'
import { formatHelp } from '../src/cli/help.js'
import { allCommands } from '../src/cli/program.js'

const file = new URL('../docs/cli.md', import.meta.url)
let page = readFileSync(file, 'utf8')

for (const [name, command] of allCommands()) {
  const heading = `### ${name}\n`
  const block = `\`\`\`text\n${formatHelp(name, command, 80)}\`\`\`\n`
  const start = page.indexOf(`\n${heading}`)
  if (start < 0) page = `${page.trimEnd()}\n\n${heading}\n${block}`
  else {
    const before = page.slice(0, start + 1 + heading.length)
    const after = page.slice(before.length).replace(/^\n```text\n[\s\S]*?\n```\n/, '')
    page = `${before}\n${block}${after}`
  }
}

writeFileSync(file, page)
