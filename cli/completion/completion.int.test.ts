import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { ListWalletsRequest } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../test-support.ts';

const line = ['__complete', 'fish', 'wallet balance --currency '];
const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';

let cli: Cli;
let server: FakeServer;
let silent: Server | undefined;
let requests: ListWalletsRequest[];
let owners: string[];

beforeEach(async () => {
  requests = [];
  owners = [userId, userId];
  server = await startFakeServer({
    listWallets: (request: ListWalletsRequest) => {
      requests.push(request);
      return {
        wallets: owners.map((owner, index) => ({
          ...{ id: walletId, userId: owner, currency: ['EUR', '$(touch pwned)'][index] ?? 'USD' },
          ...{ exponent: 2, balanceMinor: 1n, seq: 1n, status: 1 },
        })),
        nextPageToken: '',
        asOf: new Date(),
      };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address });
});

afterEach(async () => {
  server.crash();
  silent?.close();
  silent = undefined;
  await cli.remove();
});

/** What `sign-in --insecure-storage` leaves, with a token that ends at this time. */
async function storeSession(expiresAtMs: number): Promise<void> {
  const name = `${encodeURIComponent(`default@${server.address}`)}.json`;
  const record = { profile: 'default', server: server.address, userId, storage: 'file' };
  const secret = { accessToken: fakeToken(), accessTokenExpiresAtMs: expiresAtMs };
  const account = { version: 2, record, secret: { ...secret, refreshToken: 'r' } };
  for (const [folder, content] of [
    ['accounts', record],
    ['credentials', account],
  ] as const) {
    await mkdir(join(cli.configDir, folder), { recursive: true, mode: 0o700 });
    await writeFile(join(cli.configDir, folder, name), JSON.stringify(content), { mode: 0o600 });
  }
}

const own = { exitCode: 0, out: 'values\nEUR\tyour wallet\n', err: '' };
const all = { exitCode: 0, out: expect.stringMatching(/^values\nAED\n/) as string, err: '' };

test('currencies of own wallets are completed with a stored session or WALLET_TOKEN', async () => {
  expect(await cli.run(line)).toEqual(all);
  expect(requests).toEqual([]);
  expect(await cli.run(line, { env: { WALLET_TOKEN: fakeToken() } })).toEqual(own);
  await storeSession(Date.now() + 600_000);
  expect(await cli.run(line)).toEqual(own);
  expect(requests).toHaveLength(2);
});

test('a session that has to be refreshed is not used, and no lock is taken', async () => {
  await storeSession(Date.now() - 1000);
  expect(await cli.run(line)).toEqual(all);
  expect(requests).toEqual([]);
  expect(await readdir(cli.stateDir).catch(() => [])).toEqual([]);
});

test('wallets of other users, which staff get, are not taken for own ones', async () => {
  owners = [userId, otherId];
  expect(await cli.run(line, { env: { WALLET_TOKEN: fakeToken() } })).toEqual(all);
});

test('a server that does not answer is waited for a moment, and completion goes on', async () => {
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent?.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const env = { WALLET_TOKEN: fakeToken(), WALLET_SERVER: `127.0.0.1:${port}` };
  expect(await cli.run(line, { env })).toEqual(all);
});

test('completion writes no errors: wrong settings, an unknown profile, a broken file', async () => {
  const env = { WALLET_TOKEN: fakeToken() };
  expect(await cli.run(line, { env: { ...env, WALLET_SERVER: 'no server' } })).toEqual(all);
  expect(await cli.run(line, { env: { ...env, WALLET_PROFILE: 'nothing' } })).toEqual(all);
  await mkdir(cli.configDir, { recursive: true });
  await writeFile(join(cli.configDir, 'config.json'), '{');
  expect(await cli.run(line, { env })).toEqual(all);
  const profiles = ['__complete', 'fish', 'wallet profiles use '];
  expect(await cli.run(profiles, { env })).toEqual({ exitCode: 0, out: 'values\n', err: '' });
  expect(await cli.run(['__complete', 'nothing', 'x'])).toEqual({ exitCode: 0, out: '', err: '' });
  expect(await cli.run(['__complete'])).toEqual({ exitCode: 0, out: '', err: '' });
});

test('names of profiles that a profile cannot have are not completed', async () => {
  await mkdir(cli.configDir, { recursive: true });
  const profiles = { production: {}, '$(touch pwned)': {}, 'a b': {} };
  await writeFile(join(cli.configDir, 'config.json'), JSON.stringify({ profiles }));
  const ran = await cli.run(['__complete', 'fish', 'wallet --profile ']);
  expect(ran.out).toBe('values\ndefault\nproduction\n');
});

test('an unknown shell is a usage error with a suggestion', async () => {
  const ran = await cli.run(['completion', 'fihs']);
  expect(ran).toMatchObject({ exitCode: 2, out: '' });
  expect(ran.err).toContain('did you mean fish?');
});
