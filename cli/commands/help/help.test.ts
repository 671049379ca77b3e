import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { readHelpNotes } from '../../../lib/help/notes.ts';
import { splitLine } from '../../completion/split-line.ts';
import { readEnvironment } from '../../config/config.ts';
import { exitCodes } from '../../outcome.ts';
import { buildProgram } from '../../program.ts';
import { helpTopics } from './topics.ts';

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

/** The real program, which notes the command that a line would run instead of running it. */
function createProgram(): { program: Command; all: Command[]; ran: string[] } {
  const ran: string[] = [];
  const program = buildProgram('1.2.3', (command) => {
    ran.push(pathOf(command));
    return Promise.resolve();
  });
  const all: Command[] = [];
  const walk = (command: Command): void => {
    all.push(command);
    const quiet = () => undefined;
    command
      .exitOverride()
      .configureOutput({ writeOut: quiet, writeErr: quiet, outputError: quiet });
    command.commands.forEach(walk);
  };
  walk(program);
  return { program, all, ran };
}

/** The arguments of `wallet` in a line, without redirections and other commands. */
function argumentsOf(example: string): readonly string[] {
  const { words, current } = splitLine(`${example} `, 'bash');
  expect(current).toBe('');
  const own = words.slice(words.indexOf('wallet') + 1);
  const end = own.findIndex((word) => ['>', '<', '|'].includes(word));
  return end === -1 ? own : own.slice(0, end);
}

describe('examples', () => {
  const paths = createProgram().all.map(pathOf);

  it('the program has commands in groups', () => {
    expect(paths).toContain('wallet transactions list');
    expect(paths.length).toBeGreaterThan(50);
  });

  it.each(paths)('the help of "%s" has examples, and each of them is parsed', async (path) => {
    const examples = readHelpNotes(
      createProgram().all.find((command) => pathOf(command) === path)!,
    ).examples;
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const { program, all, ran } = createProgram();
      await program.parseAsync(argumentsOf(example), { from: 'user' });
      if (['wallet help', 'wallet completion'].includes(path)) continue;
      const under = all.map(pathOf).filter((each) => each === path || each.startsWith(`${path} `));
      expect(ran, example).toHaveLength(1);
      expect([...under, 'wallet whoami'], example).toContain(ran[0]);
    }
  });
});

describe('help topics', () => {
  const textOf = (name: string): string => helpTopics[name]?.text() ?? '';

  it('"wallet help" lists the topics', () => {
    const { program } = createProgram();
    const written: string[] = [];
    program.configureOutput({ writeOut: (text) => written.push(text) });
    program.outputHelp();
    for (const name of ['environment', 'exit-codes', 'formats', 'times']) {
      expect(written.join('')).toContain(`wallet help ${name}`);
      expect(textOf(name)).not.toBe('');
    }
  });

  it('the environment topic names each variable that is read', () => {
    const read = new Set<string>();
    readEnvironment(
      new Proxy(
        {},
        {
          get: (_target, name) => {
            read.add(String(name));
            return undefined;
          },
        },
      ),
    );
    expect(read.size).toBeGreaterThan(15);
    for (const name of read) expect(textOf('environment')).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('the page for scripts and the topic name each exit code', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
    for (const code of Object.values(exitCodes)) {
      expect(textOf('exit-codes')).toMatch(new RegExp(`^ +${String(code)}  \\w`, 'm'));
      expect(page).toMatch(new RegExp(`^\\| ${String(code)} \\|`, 'm'));
    }
  });

  it('lines of topics fit into 100 columns', () => {
    for (const name of Object.keys(helpTopics)) {
      expect(
        textOf(name)
          .split('\n')
          .filter((line) => line.length > 100),
      ).toEqual([]);
    }
  });
});
