import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { buildProgram } from '../program.ts';
import { hintByReason } from '../rpc/hints.ts';
import { collectGiven, repeatGiven } from './hints.ts';

const { commands } = buildProgram('0', () => Promise.resolve());
/** These ask no server. */
const local = ['help', 'completion', 'version'];
const lines = commands
  .filter((command) => !local.includes(command.name()))
  .flatMap((command) =>
    command.commands.length === 0
      ? [`wallet ${command.name()}`]
      : command.commands.map((one) => `wallet ${command.name()} ${one.name()}`),
  );

/** A hint as a command line would get it. */
async function hintAfter(argv: readonly string[], hint: string): Promise<string> {
  let ran: Command | undefined;
  const program = buildProgram('0', (command) => {
    ran = command;
    return Promise.resolve();
  });
  await program.parseAsync([...argv], { from: 'user' });
  if (!ran) throw new Error('no command was run');
  return repeatGiven(hint, collectGiven(ran));
}

describe('hints', () => {
  it.each(lines)('a hint that names %s repeats the --server that was given', async (line) => {
    expect(await hintAfter(['balance', '--server', 'x:1'], `run it: ${line} --all`)).toBe(
      `run it: ${line} --server x:1 --all`,
    );
  });

  it.each(['use a wallet of your own', 'the wallet balances agree', 'wallet service'])(
    'a hint that names no command is not changed: %s',
    async (text) => {
      expect(await hintAfter(['balance', '--server', 'x:1'], text)).toBe(text);
    },
  );

  it('a hint repeats the user and the currency for commands that take them', async () => {
    const argv = ['withdraw', '5.00', '--user', "o'neil@example.com", '--currency', 'EUR'];
    const subject = "--user 'o'\\''neil@example.com' --currency EUR";
    expect(await hintAfter(argv, 'wallet balance')).toBe(`wallet balance ${subject}`);
    expect(await hintAfter(argv, 'wallet transactions list')).toContain(subject);
    expect(await hintAfter(argv, 'wallet whoami')).toBe('wallet whoami');
    expect(await hintAfter(argv, 'wallet users list --email EMAIL')).toBe(
      "wallet users list --email 'o'\\''neil@example.com'",
    );
  });

  it('a hint repeats the address of the own account, and no other address', async () => {
    const own = ['sign-in', '--email', 'ana@example.com'];
    expect(await hintAfter(own, 'wallet sign-in')).toBe('wallet sign-in --email ana@example.com');
    expect(await hintAfter(own, 'wallet verify-email CODE --email EMAIL')).toBe(
      'wallet verify-email CODE --email ana@example.com',
    );
    const other = ['users', 'list', '--email', 'ana@example.com'];
    expect(await hintAfter(other, 'wallet sign-in')).toBe('wallet sign-in');
  });

  it('a hint names the id, the key and the service that the command was about', async () => {
    expect(await hintAfter(['exports', 'download', 'e-1'], 'wallet exports wait ID')).toBe(
      'wallet exports wait e-1',
    );
    expect(await hintAfter(['api-keys', 'list'], 'wallet api-keys revoke ID')).toBe(
      'wallet api-keys revoke ID',
    );
    const keyed = ['deposit', '5.00', '--idempotency-key', 'k 1'];
    expect(await hintAfter(keyed, 'wallet transactions show --idempotency-key KEY')).toBe(
      "wallet transactions show --idempotency-key 'k 1'",
    );
    const letter = ['dead-letters', 'discard', 'd-1', '--service', 'statement'];
    expect(await hintAfter(letter, 'wallet dead-letters list')).toBe(
      'wallet dead-letters list --service statement',
    );
  });

  it('a hint repeats the options of an encrypted connection', async () => {
    const argv = ['balance', '--server', 'x:1', '--tls-ca', 'my ca.pem', '--insecure-plaintext'];
    expect(await hintAfter(argv, 'wallet sign-in')).toBe(
      "wallet sign-in --server x:1 --tls-ca 'my ca.pem' --insecure-plaintext",
    );
  });

  it('every command in the hints of refusals is one that exists', () => {
    const prose = ['of your', 'of another'];
    const named = Object.values(hintByReason).flatMap((hint) =>
      [...(hint ?? '').matchAll(/(?<!-)\bwallet ([a-z][a-z-]*(?: [a-z][a-z-]*)?)/g)].map(
        ([, name = '']) => name,
      ),
    );
    expect(named.length).toBeGreaterThan(20);
    const unknown = named.filter(
      (name) =>
        !prose.includes(name) && !lines.some((line) => `wallet ${name} `.startsWith(`${line} `)),
    );
    expect(unknown).toEqual([]);
  });
});
