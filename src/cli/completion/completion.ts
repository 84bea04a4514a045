import type { Command } from '../command.js'
import { print } from '../output.js'
import { bashCompletion, fishCompletion, type Word, zshCompletion } from './scripts.js'

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const

/** @param program resolves to all words that there are; called when the command runs, since this command is one of them */
export function completionCommand(program: () => readonly Word[]): Command {
  return {
    summary: 'print a script that completes commands, options and values',
    about: [
      'The script completes the word vantage-auth, not npx vantage-auth. It contains no key, no id and no path.',
      'bash: source <(vantage-auth completion bash), in ~/.bashrc.',
      'zsh: source <(vantage-auth completion zsh), in ~/.zshrc, behind compinit.',
      'fish: vantage-auth completion fish | source, in config.fish.',
    ],
    options: {},
    operand: { name: 'SHELL', choices: Object.keys(SCRIPTS) },
    examples: ['vantage-auth completion bash > vantage-auth.bash'],
    async run(given) {
      // One of the choices.
      print(SCRIPTS[given.operand as keyof typeof SCRIPTS](program()))
    },
  }
}
