import type { Command, Option } from 'commander';

import { findArgumentSource, findOptionSource, type Source, type Sources } from './sources.ts';
import {
  findArgument,
  listCommands,
  listOptions,
  longOf,
  readOption,
  takesValue,
  walk,
  type Candidate,
} from './walk.ts';

/** What the current word can become. */
export type Completion = {
  /** `files`: names of files, which the shell knows better. */
  readonly kind: 'values' | 'files';
  readonly candidates: readonly Candidate[];
  /** What the current word has before the value: `--output=`. */
  readonly prefix: string;
};

/** Completes the word that is being typed, after the finished ones. */
export async function complete(
  program: Command,
  words: readonly string[],
  current: string,
  sources: Sources,
): Promise<Completion> {
  const position = walk(program, words);
  const { command, valueOf, positionals, isPastOptions } = position;
  const from = async (source: Source, prefix: string): Promise<Completion> => {
    if (source === 'files') return { kind: 'files', candidates: [], prefix };
    const typed = current.slice(prefix.length);
    const candidates = await source({ sources, position, typed });
    return { kind: 'values', candidates, prefix };
  };
  if (valueOf) return from(findOptionSource(valueOf), '');
  if (!isPastOptions && current.startsWith('-') && current !== '-') {
    const { option } = readOption(command, current);
    const [prefix] = /^--[^=]+=/.exec(current) ?? [];
    if (prefix !== undefined) {
      return option && takesValue(option) ? from(findOptionSource(option), prefix) : nothing;
    }
  }
  if (!isPastOptions && current.startsWith('-')) {
    return toValues(
      listOptions(command)
        .filter((option) => isRepeatable(option) || !position.given.has(longOf(option)))
        .map((option) => ({ value: longOf(option), help: option.description })),
    );
  }
  if (command.commands.length > 0 && positionals.length === 0) {
    return toValues(listCommands(command));
  }
  const argument = findArgument(command, positionals.length);
  return argument ? from(findArgumentSource(argument), '') : nothing;
}

const toValues = (candidates: readonly Candidate[]): Completion => ({
  kind: 'values',
  candidates,
  prefix: '',
});
const nothing = toValues([]);

/** Options that are collected have a function that does so. */
const isRepeatable = (option: Option): boolean => option.parseArg !== undefined;
