import type { Command, Option } from 'commander';

import { readHelpNotes } from '../../lib/help/notes.ts';
import { definition, paragraph, section, title, toLine, verbatim } from './roff.ts';

/** A section that only the page of the program has. */
type ExtraSection = { readonly title: string; readonly text: string };

export type ManPage = { readonly file: string; readonly text: string };

export type ManPagesParts = {
  readonly program: Command;
  readonly version: string;
  /** Like `2026-11-28`. */
  readonly date: string;
  readonly extras: readonly ExtraSection[];
};

/** One page for the program and for each command: `wallet.1`, `wallet-batch-run.1`. */
export function buildManPages(parts: ManPagesParts): readonly ManPage[] {
  const pages: ManPage[] = [];
  const add = (command: Command): void => {
    pages.push({ file: `${pageName(command)}.1`, text: buildPage(command, parts) });
    command.commands.forEach(add);
  };
  add(parts.program);
  return pages;
}

const pageName = (command: Command): string => pathOf(command).join('-');

const pathOf = (command: Command): readonly string[] =>
  command.parent ? [...pathOf(command.parent), command.name()] : [command.name()];

function buildPage(command: Command, { program, version, date, extras }: ManPagesParts): string {
  const help = command.createHelp();
  const { examples, notes } = readHelpNotes(command);
  const { parent } = command;
  const lines = [
    title(pageName(command), `digital-wallet ${version}`, date),
    section('NAME'),
    `${toLine(pageName(command))} \\- ${toLine(command.description().replace(/\.$/, ''))}`,
    section('SYNOPSIS'),
    definition([...pathOf(command)].join(' '), command.usage()),
    section('DESCRIPTION'),
    toLine(capitalise(command.description())),
    ...(notes === '' ? [] : ['.PP', verbatim(notes)]),
    ...list('ARGUMENTS', help.visibleArguments(command), (each) =>
      definition(help.argumentTerm(each), help.argumentDescription(each)),
    ),
    ...list('OPTIONS', help.visibleOptions(command), (option) => describeOption(help, option)),
    ...(parent ? [paragraph(`The options of every command are in ${pageName(program)}(1).`)] : []),
    ...list('COMMANDS', command.commands, (each) =>
      definition(`${pageName(each)}(1)`, each.description()),
    ),
    ...(parent ? [] : extras.flatMap((extra) => [section(extra.title), verbatim(extra.text)])),
    ...(examples.length === 0 ? [] : [section('EXAMPLES'), verbatim(examples.join('\n'))]),
    section('SEE ALSO'),
    toLine(listOthers(command)),
  ];
  return `${lines.join('\n')}\n`;
}

function describeOption(help: ReturnType<Command['createHelp']>, option: Option): string {
  return definition(help.optionTerm(option), help.optionDescription(option));
}

function list<T>(name: string, items: readonly T[], describe: (item: T) => string): string[] {
  return items.length === 0 ? [] : [section(name), ...items.map(describe)];
}

const capitalise = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;

/** The group that a command belongs to, and its other commands. */
function listOthers(command: Command): string {
  const { parent } = command;
  if (!parent) return 'The pages named above.';
  const others = parent.parent ? parent.commands.filter((each) => each !== command) : [];
  return [parent, ...others].map((each) => `${pageName(each)}(1)`).join(', ');
}
