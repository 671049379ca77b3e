import type { Command } from 'commander';

import { suggest } from '../../../lib/suggest.ts';
import { completionScripts } from '../../completion/scripts.ts';
import { shells } from '../../completion/split-line.ts';

/** `wallet completion bash|zsh|fish` */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print the script that lets a shell complete commands')
    .argument('<SHELL>', shells.join(', '))
    .addHelpText(
      'after',
      `
Examples:
  wallet completion bash > ~/.local/share/bash-completion/completions/wallet
  wallet completion zsh > ~/.zfunc/_wallet
  wallet completion fish > ~/.config/fish/completions/wallet.fish

Or for one session: source <(wallet completion bash), in fish: wallet completion fish | source
zsh reads ~/.zfunc if .zshrc has: fpath+=~/.zfunc; autoload -Uz compinit; compinit`,
    )
    .action((name: string, _options: unknown, self: Command) => {
      const shell = shells.find((each) => each === name);
      if (shell) {
        self.configureOutput().writeOut?.(completionScripts[shell]);
        return;
      }
      const meant = suggest(name, shells);
      const message = `shell: ${JSON.stringify(name)} is not one of ${shells.join(', ')}`;
      self.error(meant === undefined ? message : `${message}: ${meant}`);
    });
}
