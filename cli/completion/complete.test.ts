import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { buildProgram } from '../program.ts';
import { complete } from './complete.ts';
import { formatAnswer } from './format.ts';
import { findKnownArgumentSource, findKnownOptionSource, type Sources } from './sources.ts';
import { splitLine } from './split-line.ts';
import { takesValue } from './walk.ts';

const program = buildProgram('0', () => Promise.resolve());
const sources: Sources = {
  profiles: () => Promise.resolve(['default', 'production']),
  ownWallets: () => Promise.resolve([{ id: 'w1', currency: 'EUR' }]),
};

/** What the last word of a line can become. */
async function candidatesOf(line: string): Promise<readonly string[]> {
  const { words, current } = splitLine(line, 'bash');
  const completion = await complete(program, words, current, sources);
  if (completion.kind === 'files') return ['(files)'];
  return completion.candidates
    .map(({ value }) => completion.prefix + value)
    .filter((value) => value.startsWith(current));
}

describe('completion', () => {
  it.each([
    ['commands', 'dep', ['deposit']],
    ['commands of a group', 'transactions ', ['list', 'show', 'help']],
    [
      'options of the command and of all commands',
      'balance --t',
      ['--timezone', '--timeout', '--tls', '--tls-ca', '--tls-cert', '--tls-key'],
    ],
    ['no option twice', 'balance --timezone UTC --timez', []],
    ['options that may be repeated', 'statement show --operation deposit --op', ['--operation']],
    ['formats', '-o ', ['table', 'json', 'ndjson', 'csv']],
    ['formats after an equals sign', '--output=c', ['--output=csv']],
    ['the format of one command', 'statement show -o h', ['hledger']],
    ['profiles of an option', '--profile p', ['production']],
    ['profiles of an argument', 'profiles use p', ['production']],
    ['own currencies', 'balance --currency ', ['EUR']],
    ['all currencies where no own one fits', 'deposit 1 --currency BR', ['BRL']],
    ['all currencies of another user', 'balance --user a@b.c --currency BR', ['BRL']],
    ['own wallets', 'api-keys create --wallet ', ['w1']],
    ['roles', 'users set-role ana@example.com o', ['operator']],
    ['scopes', 'api-keys create --scope w', ['wallets:read']],
    ['services with a log', 'audit log --service a', ['auth', 'all']],
    ['services with dead letters', 'dead-letters list --service ', ['wallet', 'statement']],
    ['settings', 'config get c', ['currency']],
    ['values of a setting', 'config set output n', ['ndjson']],
    ['switches', 'config set tls ', ['true', 'false']],
    ['time zones', 'balance --timezone Europe/Lisb', ['Europe/Lisbon']],
    ['help of commands', 'help tran', ['transfer', 'transactions']],
    ['help of subcommands', 'help transactions s', ['show']],
    ['help topics', 'help exit', ['exit-codes']],
    ['shells', 'completion f', ['fish']],
    ['files of an argument', 'batch run ', ['(files)']],
    ['files of an option', 'batch run x --results ', ['(files)']],
    ['files after an equals sign', 'statement export --file=', ['(files)']],
    ['no commands after an argument', 'deposit 1 ', []],
    ['no options after --', 'batch run -- --res', ['(files)']],
    ['nothing for an amount', 'deposit ', []],
    ['nothing for an address', 'sign-in --email ', []],
    ['nothing for an unknown option', 'balance --nothing=', []],
  ])('completes %s: %s', async (_what, line, expected) => {
    expect(await candidatesOf(line)).toEqual(expected);
  });

  it('each option with a value and each argument says where its values come from', () => {
    const unknown: string[] = [];
    const look = (command: Command): void => {
      for (const option of command.options) {
        if (!takesValue(option) || findKnownOptionSource(option)) continue;
        unknown.push(`${command.name()} ${option.flags}`);
      }
      for (const argument of command.registeredArguments) {
        if (!findKnownArgumentSource(argument))
          unknown.push(`${command.name()} ${argument.name()}`);
      }
      command.commands.forEach(look);
    };
    look(program);
    expect(unknown).toEqual([]);
  });
});

describe('splitting a line', () => {
  it.each([
    ['a  b ', ['a', 'b'], '', ''],
    ['a "b c" d', ['a', 'b c'], 'd', ''],
    ["a 'b c", ['a'], 'b c', "'"],
    ['a "b\\"c\\d', ['a'], 'b"c\\d', '"'],
    ['a\\ b c\\', ['a b'], 'c', ''],
    ['x $(rm -r y) z', ['x', '$(rm', '-r', 'y)'], 'z', ''],
    ['x "" ', ['x', ''], '', ''],
  ])('splits %j like a shell, without expansions', (line, words, current, openQuote) => {
    expect(splitLine(line, 'bash')).toEqual({ words, current, openQuote });
  });

  it('in fish a backslash quotes an apostrophe between apostrophes', () => {
    expect(splitLine("a 'b\\'c' d", 'fish')).toMatchObject({ words: ['a', "b'c"], current: 'd' });
    expect(splitLine("a 'b\\' d", 'bash')).toMatchObject({ words: ['a', 'b\\'], current: 'd' });
  });
});

describe('answers', () => {
  const word = { current: '', replaced: '', openQuote: '' } as const;
  const withValue = (value: string, help?: string) => ({
    kind: 'values' as const,
    prefix: '',
    candidates: [help === undefined ? { value } : { value, help }],
  });

  it('values with control characters are left out, and lines of texts are joined', () => {
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      expect(formatAnswer(withValue('a\nb'), word, shell)).toBe('values\n');
      expect(formatAnswer(withValue('a\u001b[2J'), word, shell)).toBe('values\n');
    }
    expect(formatAnswer(withValue('a', 'x\n y\u001b'), word, 'fish')).toBe('values\na\tx y\n');
  });

  it('zsh gets colons and backslashes of a value quoted, so that its text begins at one', () => {
    expect(formatAnswer(withValue('a:b\\c', 'text'), word, 'zsh')).toBe(
      'values\na\\:b\\\\c:text\n',
    );
  });
});
