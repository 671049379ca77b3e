import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  RefreshSessionRequest,
  SignInRequest,
  TokenSet,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { CreateTransactionRequest } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  created,
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../test-support.ts';

const ids = {
  ana: '5aa80f22-6efa-4bfd-9a2b-2c2ac937d82b',
  bia: '6aa80f22-6efa-4bfd-9a2b-2c2ac937d82b',
} as const;
type Name = keyof typeof ids;

let cli: Cli;
let server: FakeServer;
/** Whose tokens moved money, in order. */
let paidBy: string[];
let count: number;
let revoked: Set<string>;
let onRefresh: () => Promise<unknown>;

const issue = (name: Name): TokenSet => ({
  accessToken: fakeToken(ids[name], { n: (count += 1) }),
  accessTokenExpiresAt: new Date(Date.now() + 900_000),
  refreshToken: `${name}-${count}`,
  sessionExpiresAt: new Date(Date.now() + 9_000_000),
  sessionId: 's',
});
const userOf = (name: Name) => ({
  id: ids[name],
  email: `${name}@example.com`,
  role: 1,
  disabled: false,
  emailVerified: true,
  createdAt: new Date(0),
  totpEnabled: false,
});

beforeEach(async () => {
  [paidBy, count, revoked] = [[], 0, new Set()];
  onRefresh = () => Promise.resolve();
  server = await startFakeServer({
    signIn: ({ email }: SignInRequest) => {
      const name = email.split('@')[0] as Name;
      return { tokens: issue(name), user: userOf(name), deviceToken: '' };
    },
    refreshSession: async ({ refreshToken }: RefreshSessionRequest) => {
      await onRefresh();
      const name = refreshToken.split('-')[0] as Name;
      return { tokens: issue(name), user: userOf(name) };
    },
    createTransaction: (request: CreateTransactionRequest, { metadata }) => {
      const token = metadata.get('authorization')[0]?.toString().slice('Bearer '.length) ?? '';
      if (revoked.has(token)) return refusal('TOKEN_REVOKED', 'the session has ended');
      const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
      paidBy.push((JSON.parse(claims) as { sub: string }).sub);
      return created(request);
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const signIn = (name: Name) =>
  cli.run(['sign-in', '--email', `${name}@example.com`, '--password-stdin', '--insecure-storage'], {
    stdin: 'right password\n',
  });

/** The path and the text of the only file in a folder of the configuration. */
async function readOnly(folder: string): Promise<{ path: string; text: string }> {
  const [name = '', ...others] = await readdir(join(cli.configDir, folder));
  expect(others).toEqual([]);
  const path = join(cli.configDir, folder, name);
  return { path, text: await readFile(path, 'utf8') };
}

const tokenOf = (text: string): string =>
  (JSON.parse(text) as { secret: { accessToken: string } }).secret.accessToken;

describe('the user of a command', () => {
  test('a payment that was confirmed as one user is not sent as another', async () => {
    await signIn('ana');
    revoked.add(tokenOf((await readOnly('credentials')).text));
    const confirm = async () => {
      expect((await signIn('bia')).exitCode).toBe(0);
      return true;
    };
    const ran = await cli.run(['deposit', '1.00'], { isTerminal: true, prompter: { confirm } });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain('bia@example.com signed in as');
    expect(ran.err).toContain('ACCOUNT_CHANGED');
    expect(paidBy).toEqual([]);
    // Nothing is left in doubt: the next run is a new payment of the other user.
    expect((await cli.run(['deposit', '1.00', '--yes'])).exitCode).toBe(0);
    expect(paidBy).toEqual([ids.bia]);
  });

  test('a sign-in during the confirmation leaves the payment to the confirmed user', async () => {
    await signIn('ana');
    const confirm = async () => (await signIn('bia')).exitCode === 0;
    const ran = await cli.run(['deposit', '1.00'], { isTerminal: true, prompter: { confirm } });
    expect(ran.exitCode).toBe(0);
    expect(paidBy).toEqual([ids.ana]);
  });

  test('the confirmation names the user of the token, whatever the list of accounts says', async () => {
    await signIn('ana');
    const { path, text } = await readOnly('accounts');
    await writeFile(path, text.replaceAll('ana', 'bia').replaceAll(ids.ana, ids.bia));
    const confirm = () => Promise.resolve(true);
    const ran = await cli.run(['deposit', '1.00'], { isTerminal: true, prompter: { confirm } });
    expect(ran.err).toContain(`ana@example.com (${ids.ana})`);
    expect(ran.err).not.toContain('bia');
    expect(paidBy).toEqual([ids.ana]);
  });

  test('a stored token of another user than its record is not used', async () => {
    await signIn('ana');
    const { path, text } = await readOnly('credentials');
    await writeFile(path, text.replace(tokenOf(text), fakeToken(ids.bia)));
    expect((await cli.run(['deposit', '1.00', '--yes'])).exitCode).toBe(4);
    expect(paidBy).toEqual([]);
  });
});

describe('a refresh', () => {
  test('the tokens of a refresh are dropped where another account is stored by then', async () => {
    await signIn('bia');
    const bia = await readOnly('credentials');
    await signIn('ana');
    const { path, text } = await readOnly('credentials');
    await writeFile(
      path,
      text.replace(/"accessTokenExpiresAtMs":\d+/, '"accessTokenExpiresAtMs":1'),
    );
    // As by a process on another host, after the lock was taken for abandoned.
    onRefresh = () => writeFile(path, bia.text);
    expect((await cli.run(['deposit', '1.00', '--yes'])).exitCode).toBe(0);
    expect(paidBy).toEqual([ids.bia]);
    expect((await readOnly('credentials')).text).toBe(bia.text);
  });
});
