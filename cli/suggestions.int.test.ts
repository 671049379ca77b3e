import { afterEach, beforeEach, expect, test } from 'vitest';

import { createCli, fakeToken, type Cli } from './test-support.ts';

let cli: Cli;

beforeEach(async () => {
  // Nothing listens there: every one of these commands must end before it connects.
  cli = await createCli({ WALLET_SERVER: '127.0.0.1:1', WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  await cli.remove();
});

const key = ['api-keys', 'create', '--name', 'shop', '--scope'];

test.each([
  ['a command', ['depsoit', '1'], /did you mean deposit\?/i],
  ['a subcommand', ['transactions', 'lits'], /did you mean list\?/i],
  ['an option', ['balance', '--curency', 'BRL'], /did you mean --currency\?/i],
  ['a help topic', ['help', 'enviroment'], /did you mean environment\?/],
  ['a command to help with', ['help', 'transactions', 'shwo'], /did you mean show\?/],
  ['a setting', ['config', 'get', 'curency'], /did you mean currency\?/],
  ['a setting to change', ['config', 'set', 'timzone', 'UTC'], /did you mean timezone\?/],
  ['a currency', ['balance', '--currency', 'BLR'], /did you mean BRL\?/],
  ['a currency in small letters', ['deposit', '1', '--currency', 'brl'], /did you mean BRL\?/],
  ['a currency of the profile', ['config', 'set', 'currency', 'EURO'], /did you mean EUR\?/],
  ['an operation', ['statement', 'show', '--operation', 'purchas'], /did you mean purchase\?/],
  ['an operation of a key', [...key, 'wallets:read', '--operation', 'depo'], /mean deposit\?/],
  ['a role', ['users', 'set-role', 'ana@example.com', 'operater'], /did you mean operator\?/],
  ['a role to list', ['users', 'list', '--role', 'admn'], /did you mean admin\?/],
  ['a scope', [...key, 'wallet:read'], /did you mean wallets:read\?/],
  ['an output format', ['balance', '-o', 'jsn'], /did you mean json\?/],
  ['a format of an export', ['statement', 'export', '--format', 'ndjsn'], /did you mean ndjson\?/],
  ['a locale', ['statement', 'export', '--locale', 'pt-br'], /did you mean pt-BR\?/],
  ['a state', ['dead-letters', 'list', '--state', 'pendign'], /did you mean pending\?/],
  ['a service', ['dead-letters', 'list', '--service', 'statment'], /did you mean statement\?/],
  ['a service with a log', ['audit', 'log', '--service', 'walet'], /did you mean wallet\?/],
])('a misspelt name of %s is a usage error with a suggestion', async (_kind, argv, expected) => {
  const ran = await cli.run(argv);
  expect(ran).toMatchObject({ exitCode: 2, out: '' });
  expect(ran.err).toMatch(expected);
});

test('a misspelt profile is not found, and the existing one is suggested', async () => {
  await cli.run(['config', 'set', 'currency', 'EUR', '--profile', 'production']);
  for (const argv of [
    ['balance', '--profile', 'prodution'],
    ['profiles', 'use', 'prodution'],
  ]) {
    const ran = await cli.run(argv);
    expect(ran).toMatchObject({ exitCode: 5, out: '' });
    expect(ran.err).toContain('there is no profile "prodution"');
    expect(ran.err).toContain('did you mean production?');
  }
});

test('a word without any similarity gets no suggestion', async () => {
  const ran = await cli.run(['users', 'list', '--role', 'banana']);
  expect(ran.exitCode).toBe(2);
  expect(ran.err).not.toMatch(/did you mean/i);
});
