import type { Command } from 'commander';
import { expect, test } from 'vitest';

import type { StopSignals } from './process/stop-signals.ts';
import { addCommands, describeProgram } from './program.ts';

const stop: StopSignals = {
  signal: new AbortController().signal,
  findName: () => undefined,
  ask: () => undefined,
  hasFailed: () => false,
};

function buildProgram(): Command {
  const program = describeProgram([]);
  const withConfig = () => () => Promise.resolve();
  addCommands(program, { withConfig, stop }, () => Promise.resolve(0), true);
  return program;
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

const listAll = (command: Command): Command[] => [command, ...command.commands.flatMap(listAll)];

test('every command and group of walletd has examples that name it', () => {
  const all = listAll(buildProgram());
  expect(all.map((command) => command.name())).toEqual(
    expect.arrayContaining(['start', 'migrate', 'check', 'create', 'reset-totp', 'rebuild']),
  );
  for (const command of all) {
    const examples = helpOf(command).split('\nExamples:\n')[1] ?? '';
    expect(examples, command.name()).toMatch(new RegExp(`walletd\\b.*${nameOf(command)}`));
  }
});

const nameOf = (command: Command): string =>
  command.parent === null ? '' : `\\b${command.name()}\\b`;
