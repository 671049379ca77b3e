import type { Command } from 'commander';

import { stripControls } from '../../core/text.ts';

/** The library's text about a wrong command line, as a fault and a hint. */
export function explainUsage(text: string, program: Command, argv: readonly string[]): string {
  const [, problem = text, similar] =
    /^error: (.*?)(?:\n\(Did you mean (.*?)\?\))?\s*$/s.exec(text) ?? [];
  const hint = similar === undefined ? `${nameCommand(program, argv)} --help` : similar;
  const what = similar === undefined ? `see \`${hint}\`` : `did you mean ${hint}?`;
  return `walletd: ${stripControls(problem)}\nhint: ${what}\n`;
}

/** The command that a command line names, as far as there is one: `walletd users create`. */
function nameCommand(program: Command, argv: readonly string[]): string {
  const names = [program.name()];
  let command: Command | undefined = program;
  for (const word of argv) {
    const found: Command | undefined = command.commands.find((one) => one.name() === word);
    if (!found) continue;
    names.push(word);
    command = found;
  }
  return names.join(' ');
}
