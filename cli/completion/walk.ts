import type { Argument, Command, Option } from 'commander';

/** A command line up to the word that is being typed, as the parser would read it. */
export type Position = {
  readonly command: Command;
  /** The option whose value the current word is. */
  readonly valueOf: Option | undefined;
  /** The arguments before the current word. */
  readonly positionals: readonly string[];
  /** Values of the options before the current word, by their long names; '' for flags. */
  readonly given: ReadonlyMap<string, string>;
  /** After `--` nothing is an option. */
  readonly isPastOptions: boolean;
};

/** Follows finished words through the commands and options of a program. */
export function walk(program: Command, words: readonly string[]): Position {
  let command = program;
  let valueOf: Option | undefined;
  let isPastOptions = false;
  const positionals: string[] = [];
  const given = new Map<string, string>();
  for (const word of words) {
    if (valueOf) {
      given.set(longOf(valueOf), word);
      valueOf = undefined;
    } else if (isPastOptions || !word.startsWith('-') || word === '-') {
      const next = positionals.length === 0 ? findCommand(command, word) : undefined;
      if (next) command = next;
      else positionals.push(word);
    } else if (word === '--') {
      isPastOptions = true;
    } else {
      const { option, value } = readOption(command, word);
      if (option && value === undefined && takesValue(option)) valueOf = option;
      else if (option) given.set(longOf(option), value ?? '');
    }
  }
  return { command, valueOf, positionals, given, isPastOptions };
}

const findCommand = (parent: Command, name: string): Command | undefined =>
  parent.commands.find((each) => each.name() === name);

/** `--name`, `--name=value`, `-n`, `-nvalue`, `-n=value`. */
export function readOption(
  command: Command,
  word: string,
): { readonly option: Option | undefined; readonly value: string | undefined } {
  const options = listOptions(command);
  const [, long, joined] = /^(--[^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (long !== undefined) {
    return { option: options.find((each) => each.long === long), value: joined };
  }
  const option = options.find((each) => each.short === word.slice(0, 2));
  return { option, value: word.length > 2 ? word.slice(2).replace(/^=/, '') : undefined };
}

/** The options of a command and of those above it. */
export function listOptions(command: Command): readonly Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

export const longOf = (option: Option): string => option.long ?? option.flags;

export const takesValue = (option: Option): boolean => option.required || option.optional;

/** The argument at a place; the last one may go on for ever. */
export function findArgument(command: Command, index: number): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic ? last : undefined);
}

/** A text that a word can become, with what it is. */
export type Candidate = { readonly value: string; readonly help?: string };

/** The commands of a group, as its help lists them. */
export const listCommands = (group: Command): readonly Candidate[] =>
  group
    .createHelp()
    .visibleCommands(group)
    .map((each) => ({ value: each.name(), help: each.description() }));
