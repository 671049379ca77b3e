import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { formatAnswer } from '../../../cli/completion/format.ts';
import { openShellTerminal, type ShellTerminal } from '../../support/processes/shell-terminal.ts';
import { createWorld, expectCode, type World } from '../../support/processes/world.ts';

const main = join(import.meta.dirname, '../../../dist/cli/main.js');

/** Completes like the built program, and shows the arguments of every other call. */
const wallet = `#!/bin/sh
case "$1" in
__complete|completion) exec ${process.execPath} ${main} "$@" ;;
esac
printf 'RAN'
for word in "$@"; do printf '<%s>' "$word"; done
echo ' END'
`;

const shells = {
  bash: {
    command: 'bash --norc --noprofile -i',
    setUp: 'source <(wallet completion bash)',
  },
  'bash with bash-completion': {
    command: 'bash --norc --noprofile -i',
    setUp: 'source /usr/share/bash-completion/bash_completion; source <(wallet completion bash)',
  },
  zsh: {
    command: 'zsh -f -i',
    setUp: 'autoload -Uz compinit; compinit -u -D; source <(wallet completion zsh)',
  },
  fish: { command: 'fish --no-config -i', setUp: 'wallet completion fish | source' },
};

let world: World;
let env: Record<string, string>;
let folder: string;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  const ana = await world.customer('ana');
  await ana.json(['deposit', '1', '--yes', '--currency', 'EUR']);
  expectCode(await ana.run(['config', 'set', 'currency', 'EUR', '--profile', 'production']), 0);
  folder = join(world.folder, 'typed');
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'bin/wallet'), wallet);
  await chmod(join(folder, 'bin/wallet'), 0o755);
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, "files/pay roll's.csv"), '');
  env = {
    ...ana.env,
    WALLET_SERVER: world.daemon().address,
    PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    TERM: 'xterm',
    LANG: 'C.UTF-8',
    PS1: '$ ',
  };
});

afterAll(() => world.dispose());

describe.each(Object.entries(shells))('in %s', (name, { command, setUp }) => {
  let terminal: ShellTerminal;
  afterEach(() => terminal.close());

  const open = async (): Promise<void> => {
    terminal = openShellTerminal(command, { env, cwd: join(folder, 'files') });
    terminal.type(`${setUp}; echo rea""dy\r`);
    await terminal.waitFor('ready');
  };

  it(`${name} completes commands, options, values, profiles, own currencies and files`, async () => {
    await open();
    for (const [typed, expected] of [
      ['bal', '<balance>'],
      ['transactions li', '<transactions><list>'],
      ['balance --no-i', '<balance><--no-input>'],
      ['-o js', '<-o><json>'],
      ['balance --output=js', '<balance><--output=json>'],
      ['profiles use prod', '<profiles><use><production>'],
      // Of all currencies four begin with E.
      ['balance --currency E', '<balance><--currency><EUR>'],
      ['api-keys create --scope wallets', '<api-keys><create><--scope><wallets:read>'],
      ['statement show --operation "purc', '<statement><show><--operation><purchase>'],
      ['balance --timezone Europe/Lisb', '<balance><--timezone><Europe/Lisbon>'],
      ['help exit', '<help><exit-codes>'],
      ['batch run pay', "<batch><run><pay roll's.csv>"],
      ['batch run x --results=pay', "<batch><run><x><--results=pay roll's.csv>"],
    ] as const) {
      terminal.type(`wallet ${typed}\t\r`);
      expect(await terminal.waitFor(/RAN.* END/)).toContain(`RAN${expected} END`);
    }
    expect(terminal.shown()).not.toMatch(/error|hint|warning|command not found/i);
  });

  it(`${name} executes nothing of a line that is being completed`, async () => {
    await open();
    terminal.type('wallet --user "$(touch pwned)" balance --outp\t');
    await terminal.waitFor(/--output/);
    expect(await readdir(join(folder, 'files'))).toEqual(["pay roll's.csv"]);
  });
});

describe('quoting for bash', () => {
  // Every way in which the word can begin.
  const beginnings = [
    { typed: '', openQuote: '' },
    { typed: '"', openQuote: '"' },
    { typed: "'", openQuote: "'" },
  ] as const;

  it.each([
    'a b',
    '$(touch pwned)',
    '`touch pwned`',
    '"x"',
    "it's",
    '$HOME',
    'a\\b',
    '*;&|<>(){}',
    'é',
  ])('a value %j is inserted so that bash reads it back unchanged', (value) => {
    for (const { typed, openQuote } of beginnings) {
      const answer = formatAnswer(
        { kind: 'values', candidates: [{ value }], prefix: '' },
        { current: '', replaced: typed, openQuote },
        'bash',
      );
      const word = answer.split('\n')[1] ?? '';
      const line = `printf %s ${word}${openQuote}`;
      const read = execFileSync('bash', ['-c', line], { cwd: join(folder, 'files') });
      expect(read.toString()).toBe(value);
    }
  });
});
