import { type Command, type Option, optionWords } from '../command.js'
import { meaningOf } from '../help.js'

/** A group or a command, as it is typed first. */
export interface Word {
  readonly name: string
  readonly summary: string
  /** Of a group. */
  readonly commands?: Readonly<Record<string, Command>>
  /** Of a command. */
  readonly command?: Command
}

/** Every command with its name as it is typed: `keys show`. */
function commandsOf(program: readonly Word[]): (readonly [string, Command])[] {
  return program.flatMap(({ name, command, commands = {} }) => [
    ...(command === undefined ? [] : [[name, command] as const]),
    ...Object.entries(commands).map(([word, one]) => [`${name} ${word}`, one] as const),
  ])
}

const GLOBAL = ['--help', '--version']

/** What may stand behind an option, or as an operand: some words, a file, or what only the user knows. */
function valuesOf(
  name: string | undefined,
  choices: readonly string[] | undefined,
): readonly string[] | 'file' | 'free' {
  return choices ?? (/^(?:FILE|PATH)$/.test(name ?? '') ? 'file' : 'free')
}

/** Options behind which a value has to stand. */
const taking = ({ options }: Command) =>
  Object.entries(options).filter(([, { value, alone }]) => value !== undefined && alone === undefined)

export function bashCompletion(program: readonly Word[]): string {
  const offer = (words: readonly string[]) => `_vantage_auth_words '${words.join(' ')}'`
  const action = (values: readonly string[] | 'file' | 'free') =>
    values === 'file' ? '_vantage_auth_files' : values === 'free' ? ':' : offer(values)
  const commands = commandsOf(program)
  return `# Completes vantage-auth in bash.
_vantage_auth_words() {
  COMPREPLY=($(compgen -W "$1" -- "$current"))
}

_vantage_auth_files() {
  local file
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current")
  compopt -o filenames 2>/dev/null
}

_vantage_auth() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" name="\${COMP_WORDS[1]}"
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    ${offer([...program.map(({ name }) => name), ...GLOBAL])}
    return
  fi
  case "$name" in
${program
  .filter(({ commands: own }) => own !== undefined)
  .map(
    ({ name, commands: own = {} }) => `    ${name})
      if (( COMP_CWORD == 2 )); then
        ${offer([...Object.keys(own), '--help'])}
        return
      fi
      name="$name \${COMP_WORDS[2]}" ;;
`,
  )
  .join('')}  esac
  case "$name $previous" in
${commands
  .flatMap(([name, command]) =>
    taking(command).map(
      ([option, { value, choices }]) => `    '${name} --${option}') ${action(valuesOf(value, choices))}; return ;;\n`,
    ),
  )
  .join('')}  esac
  case "$name $current" in
${commands.map(([name, { options }]) => `    '${name} -'*) ${offer(optionWords(options))}; return ;;\n`).join('')}  esac
  case "$name" in
${commands
  .filter(([, { operand }]) => operand !== undefined)
  .map(([name, { operand }]) => `    '${name}') ${action(valuesOf(operand?.name, operand?.choices))} ;;\n`)
  .join('')}  esac
}

complete -F _vantage_auth vantage-auth
`
}

export function zshCompletion(program: readonly Word[]): string {
  const describe = (what: string, entries: readonly (readonly [string, string])[]) =>
    `_vantage_auth_list=(${entries.map(([word, help]) => quoted(`${word.replaceAll(':', '\\:')}:${help}`)).join(' ')})
      _describe ${what} _vantage_auth_list`
  const action = (name: string, values: readonly string[] | 'file' | 'free') =>
    values === 'file'
      ? '_files'
      : values === 'free'
        ? `_message ${quoted(name)}`
        : `compadd -- ${values.map((value) => quoted(value)).join(' ')}`
  const commands = commandsOf(program)
  return `#compdef vantage-auth
# Completes vantage-auth in zsh.
_vantage_auth() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}" name="\${words[2]}"
  local -a _vantage_auth_list
  if (( CURRENT == 2 )); then
      ${describe('command', [...program.map(({ name, summary }) => [name, summary] as const), ['--help', 'help'], ['--version', 'version of the package']])}
    return
  fi
  case "$name" in
${program
  .filter(({ commands: own }) => own !== undefined)
  .map(
    ({ name, commands: own = {} }) => `    ${name})
      if (( CURRENT == 3 )); then
      ${describe('command', [...Object.entries(own).map(([word, { summary }]) => [word, summary] as const), ['--help', 'help']])}
        return
      fi
      name="$name \${words[3]}" ;;
`,
  )
  .join('')}  esac
  case "$name $previous" in
${commands
  .flatMap(([name, command]) =>
    taking(command).map(
      ([option, { value = '', choices }]) =>
        `    ${quoted(`${name} --${option}`)}) ${action(value, valuesOf(value, choices))}; return ;;\n`,
    ),
  )
  .join('')}  esac
  case "$name $current" in
${commands
  .map(
    ([name, { options }]) => `    ${quoted(`${name} -`)}*)
      ${describe('option', [...Object.entries(options).map(([option, is]) => [`--${option}`, meaningOf(is)] as const), ['--help', 'help']])}
      return ;;
`,
  )
  .join('')}  esac
  case "$name" in
${commands
  .filter(([, { operand }]) => operand !== undefined)
  .map(
    ([name, { operand }]) =>
      `    ${quoted(name)}) ${action(operand?.name ?? '', valuesOf(operand?.name, operand?.choices))} ;;\n`,
  )
  .join('')}  esac
}

# As a file of fpath it is the function itself; sourced, it has to be named.
if [[ "$funcstack[1]" == _vantage-auth || "$funcstack[1]" == _vantage_auth ]]; then
  _vantage_auth "$@"
else
  compdef _vantage_auth vantage-auth
fi
`
}

export function fishCompletion(program: readonly Word[]): string {
  const line = (condition: string, ...words: string[]) =>
    `complete -c vantage-auth -n ${quoted(condition, 'fish')} ${words.join(' ')}\n`
  const help = (text: string) => `-d ${quoted(text, 'fish')}`
  const optionLine = (name: string, option: string, is: Option) => {
    const values = valuesOf(is.value, is.choices)
    const takes =
      is.value === undefined || is.alone !== undefined
        ? []
        : values === 'file'
          ? ['-r', '-F']
          : ['-x', ...(values === 'free' ? [] : [`-a ${quoted(values.join(' '), 'fish')}`])]
    return line(`__vantage_auth_in ${name}`, `-l ${option}`, ...takes, help(meaningOf(is)))
  }
  return `# Completes vantage-auth in fish.
function __vantage_auth_words
    set -l words (commandline -opc)
    set -e words[1]
    string join ' ' -- $words
end

# Whether these are the first words behind the program.
function __vantage_auth_in
    set -l words (__vantage_auth_words)
    string match -q -- "$argv *" "$words "
end

# Whether there are no others yet.
function __vantage_auth_at
    set -l words (__vantage_auth_words)
    test "$words" = "$argv"
end

complete -c vantage-auth -f
${program.map(({ name, summary }) => line('__vantage_auth_at', `-a ${name}`, help(summary))).join('')}${line('__vantage_auth_at', '-l version', help('version of the package'))}complete -c vantage-auth -l help -d help
${program
  .flatMap(({ name, commands = {} }) =>
    Object.entries(commands).map(([word, { summary }]) =>
      line(`__vantage_auth_at ${name}`, `-a ${word}`, help(summary)),
    ),
  )
  .join('')}${commandsOf(program)
  .flatMap(([name, { options, operand }]) => {
    const values = valuesOf(operand?.name, operand?.choices)
    return [
      ...Object.entries(options).map(([option, is]) => optionLine(name, option, is)),
      ...(values === 'file' ? [line(`__vantage_auth_in ${name}`, '-F')] : []),
      ...(typeof values === 'string'
        ? []
        : [line(`__vantage_auth_in ${name}`, `-a ${quoted(values.join(' '), 'fish')}`)]),
    ]
  })
  .join('')}`
}

/** A text in single quotes. In fish a backslash escapes there as well. */
function quoted(text: string, shell?: 'fish'): string {
  return shell === 'fish' ? `'${text.replaceAll(/[\\']/g, '\\$&')}'` : `'${text.replaceAll("'", "'\\''")}'`
}
