import type { Command } from './command.js'
import { completionCommand } from './completion/completion.js'
import { doctor } from './doctor/doctor.js'
import { explain } from './explain/explain.js'
import { keysCommands } from './keys/keys.js'
import { scan } from './scan/scan.js'
import { tokensCommands } from './tokens.js'

/** Commands about one thing. */
interface Group {
  readonly summary: string
  readonly commands: Readonly<Record<string, Command>>
}

/** The commands by group. */
export const GROUPS: Readonly<Record<string, Group>> = {
  keys: { summary: 'create, look at, rotate and revoke API keys', commands: keysCommands },
  tokens: { summary: 'revoke access tokens', commands: tokensCommands },
}

/** The commands that stand alone. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  doctor,
  explain,
  scan,
  completion: completionCommand(() => [
    ...Object.entries(GROUPS).map(([name, group]) => ({ name, ...group })),
    ...Object.entries(COMMANDS).map(([name, command]) => ({ name, summary: command.summary, command })),
  ]),
}

/** Every command, with its name as it is typed: `keys show`. */
export function allCommands(): (readonly [string, Command])[] {
  const ofGroups = Object.entries(GROUPS).flatMap(([group, { commands }]) =>
    Object.entries(commands).map(([name, command]) => [`${group} ${name}`, command] as const),
  )
  return [...ofGroups, ...Object.entries(COMMANDS)]
}
