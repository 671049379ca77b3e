import type { Command } from 'commander';

import type { ServiceName } from '../config/settings.ts';
import type { StopSignals } from '../process/stop-signals.ts';
import type { HostRun } from './host-run.ts';

export const usageExitCode = 2;

type RunOptions = {
  /** What is missing for other work is no fault. */
  readonly scope?: 'databases';
  /** The databases that the command works on, if it is not those of the hosted services. */
  readonly databases?: readonly ServiceName[];
};

/** An action that has a valid configuration, or does not run. */
export type WithConfig = <A extends unknown[]>(
  run: (host: HostRun, ...rest: A) => Promise<number>,
  options?: RunOptions,
) => (...rest: A) => Promise<void>;

/** What commands are declared with. */
export type CommandLine = { readonly withConfig: WithConfig; readonly stop: StopSignals };

/** Adds a group of commands, with examples in its help. */
export function addGroup(
  program: Command,
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return addExamples(program.command(name).description(description), examples);
}

/** Adds examples to the help of a command. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  ${example}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${lines}`);
}
