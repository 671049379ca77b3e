import type { Command, CommanderError } from 'commander';

import type { Environment } from '../config/config.ts';
import { fail, failUsage, type CliFailure } from '../outcome.ts';
import { outputFormats, type OutputFormat } from '../config/settings.ts';

const sumCommands = ['deposit', 'withdraw', 'purchase', 'transfer'];

/** A usage error of the parser's as one of ours, with the help that fits. */
export function explainUsage(
  error: CommanderError,
  argv: readonly string[],
  program: Command,
): CliFailure {
  const path = findCommandPath(argv, program);
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  const hint = path[0] === 'help' ? 'wallet help' : `${['wallet', ...path].join(' ')} --help`;
  const negative = /unknown option '(-\.?[0-9].*)'/.exec(message)?.[1];
  if (negative !== undefined && sumCommands.includes(path[0] ?? '')) {
    const text = `${JSON.stringify(negative)} is not a valid amount: it must be above 0`;
    return { ...failUsage('amount', text, hint).failure, reason: 'AMOUNT_INVALID' };
  }
  return fail('USAGE', message, { hint }).failure;
}

/**
 * The output format that a command line asks for, read without understanding the rest of it: for
 * errors that come before it is understood.
 */
export function findOutput(argv: readonly string[], environment: Environment): OutputFormat {
  let asked = environment.settings.output;
  argv.forEach((argument, index) => {
    if (argument === '--json') asked = 'json';
    const joined = /^(?:--output=|-o=?)(.+)$/.exec(argument)?.[1];
    if (joined !== undefined) asked = joined;
    if (argument === '--output' || argument === '-o') asked = argv[index + 1];
  });
  if (argv.some((argument) => /^--field(?:=|$)/.test(argument))) return 'table';
  return outputFormats.find((format) => format === asked) ?? 'table';
}

/** `transactions list`: the names of a command and its parents, without the program's. */
export function nameCommand(command: Command): string {
  const { parent } = command;
  return parent ? `${nameCommand(parent)} ${command.name()}`.trim() : '';
}

function findCommandPath(argv: readonly string[], program: Command): string[] {
  const path: string[] = [];
  let command = program;
  for (const argument of argv) {
    const next = command.commands.find((candidate) => candidate.name() === argument);
    if (!next) continue;
    path.push(argument);
    command = next;
  }
  return path;
}
