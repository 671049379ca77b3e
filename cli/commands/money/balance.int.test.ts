import { afterEach, beforeEach, expect, test } from 'vitest';

import { Wallet, WalletStatus } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

let cli: Cli;
let server: FakeServer;
let wallet: Wallet;
const asOf = new Date('2026-11-22T12:00:00Z');

const walletOf = (fields: Parameters<typeof Wallet.fromPartial>[0]): Wallet =>
  Wallet.fromPartial({
    ...{ id: walletId, userId, currency: 'BRL', exponent: 2, status: WalletStatus.ACTIVE },
    ...{ balanceMinor: 123_456n, availableMinor: 123_456n, seq: 7n, ...fields },
  });

beforeEach(async () => {
  wallet = walletOf({});
  server = await startFakeServer({
    getBalance: () => ({ wallet, asOf }),
    listWallets: () => ({
      wallets: [walletOf({ currency: 'EUR' }), wallet],
      ...{ nextPageToken: '', asOf },
    }),
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role: 1 } }),
  });
  cli = await createCli({
    ...{ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken(), WALLET_TIMEZONE: 'UTC' },
  });
});
afterEach(async () => {
  server.crash();
  await cli.remove();
});

const showBalance = async (...argv: string[]) => {
  const ran = await cli.run(['balance', ...argv]);
  expect(ran).toMatchObject({ exitCode: 0, err: '' });
  return ran.out;
};

test('of an open wallet where all is available the balance says it all', async () => {
  expect(await showBalance()).not.toMatch(/^(?:status|available|held|overdraft limit) /m);
  expect(await showBalance('--all')).not.toMatch(/STATUS|AVAILABLE|HELD|OVERDRAFT/);
});

test.each([
  [WalletStatus.FROZEN, 'frozen'],
  [WalletStatus.DEBITS_FROZEN, 'debits_frozen'],
  [WalletStatus.CLOSED, 'closed'],
])('a wallet with status %i is shown as %s', async (status, name) => {
  wallet = walletOf({ status });
  expect(await showBalance()).toMatch(new RegExp(`^status +${name}$`, 'm'));
  const [titles, open, other] = (await showBalance('--all')).split('\n');
  expect(titles).toContain('STATUS');
  expect([open?.includes(name), other?.includes(name)]).toEqual([false, true]);
});

test('what is held, and how far below 0 one may go, is shown beside what is available', async () => {
  wallet = walletOf({
    ...{ heldMinor: 23_456n, overdraftLimitMinor: 50_000n, availableMinor: 150_000n },
  });
  const card = await showBalance();
  expect(card).toMatch(/^available +1,500\.00$/m);
  expect(card).toMatch(/^held +234\.56$/m);
  expect(card).toMatch(/^overdraft limit +500\.00$/m);
});

test('of a past balance is shown what was held, in every format', async () => {
  wallet = walletOf({ heldMinor: 23_456n, availableMinor: undefined });
  const past = ['--at', '2026-11-22'];
  expect(await showBalance(...past)).toMatch(/^held +234\.56$/m);
  expect(await showBalance(...past)).not.toMatch(/^available/m);
  const csv = await showBalance(...past, '-o', 'csv', '--columns', 'available,held');
  expect(csv).toBe('available,held\r\n,234.56\r\n');
});

test('columns that were chosen are shown, even where nothing is held', async () => {
  const card = await showBalance('--columns', 'available,held,status,overdraft_limit');
  expect(card.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['available', '1,234.56'],
    ['held', '0.00'],
    ['status', 'active'],
    ['overdraft limit', ''],
    [''],
  ]);
  const [titles, row] = (await showBalance('--all', '--columns', 'currency,held')).split('\n');
  expect(titles).toContain('HELD');
  expect(row).toMatch(/0\.00$/);
});

test('CSV has the status of every wallet', async () => {
  wallet = walletOf({ status: WalletStatus.CLOSED });
  const csv = await showBalance('--all', '-o', 'csv', '--columns', 'currency,status');
  expect(csv).toBe('currency,status\r\nEUR,active\r\nBRL,closed\r\n');
});
