import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Wallet,
  WalletStatus,
  type FreezeWalletRequest,
  type ListWalletsRequest,
  type UnfreezeWalletRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';

let cli: Cli;
let server: FakeServer;
let lists: ListWalletsRequest[];
let freezes: FreezeWalletRequest[];
let unfreezes: UnfreezeWalletRequest[];

const wallet = (status: WalletStatus, owner = otherId): Wallet =>
  Wallet.fromPartial({
    ...{ id: walletId, userId: owner, currency: 'EUR', exponent: 2, status },
    ...{ balanceMinor: 12_345n, seq: 7n, lastAt: new Date('2026-11-22T12:00:00Z') },
  });

beforeEach(async () => {
  [lists, freezes, unfreezes] = [[], [], []];
  server = await startFakeServer({
    listWallets: (request: ListWalletsRequest) => {
      lists.push(request);
      const wallets = [wallet(WalletStatus.ACTIVE), wallet(WalletStatus.FROZEN, userId)];
      return { wallets, nextPageToken: '' };
    },
    freezeWallet: (request: FreezeWalletRequest) => {
      freezes.push(request);
      if (request.currency === 'USD') return refusal('WALLET_NOT_FOUND', 'there is no wallet');
      return { wallet: wallet(request.dryRun ? WalletStatus.ACTIVE : WalletStatus.FROZEN) };
    },
    unfreezeWallet: (request: UnfreezeWalletRequest) => {
      unfreezes.push(request);
      return { wallet: wallet(WalletStatus.ACTIVE) };
    },
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: () => ({ users: [User.fromPartial({ id: otherId, email: 'ana@example.com' })] }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(['wallets', ...line.split(' ')], options);

describe('wallets list', () => {
  test('wallets list shows the owner of each wallet, and whether it is frozen', async () => {
    const ran = await run('list --timezone UTC');
    expect(ran.out).toMatch(new RegExp(`123\\.45 +EUR +active +7 +2026-11-22 .* +${otherId}`));
    expect(ran.out).toMatch(new RegExp(`frozen .*${userId}`));
    const json = await run('list --user ana@example.com --json');
    expect((JSON.parse(json.out) as { items: unknown[] }).items[0]).toEqual({
      ...{ id: walletId, userId: otherId, currency: 'EUR', balance: '123.45', seq: 7 },
      ...{ status: 'active', lastAt: '2026-11-22T12:00:00.000Z', userEmail: 'ana@example.com' },
    });
    expect(lists).toEqual([
      { userId: '', pageSize: 50, pageToken: '' },
      { userId: otherId, pageSize: 50, pageToken: '' },
    ]);
  });
});

describe('wallets freeze and unfreeze', () => {
  test('wallets freeze and unfreeze send the user, the currency and the note', async () => {
    const ran = await cli.run([
      'wallets',
      'freeze',
      '--user',
      otherId,
      '--currency',
      'EUR',
      '--note',
      'by phone',
      '-y',
      '--json',
    ]);
    expect(JSON.parse(ran.out)).toMatchObject({ userId: otherId, status: 'frozen' });
    expect(freezes).toEqual([
      { userId: otherId, currency: 'EUR', note: 'by phone', dryRun: false },
    ]);
    expect((await run(`unfreeze --user ana@example.com -y`)).out).toMatch(/status +active/);
    expect(unfreezes).toEqual([{ userId: otherId, currency: 'BRL', note: '', dryRun: false }]);
  });

  test('wallets freeze asks with server, role, user, currency and note', async () => {
    const questions: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      return Promise.resolve(false);
    };
    const options = { isTerminal: true, prompter: { confirm } };
    const ran = await run(`freeze --user ${otherId} --note why`, options);
    expect(ran).toMatchObject({ exitCode: 130, out: '' });
    expect(questions).toEqual(['Freeze this wallet?']);
    for (const shown of [server.address, 'operator', 'ana@example.com', otherId, 'BRL', 'why']) {
      expect(ran.err).toContain(shown);
    }
    expect((await run(`unfreeze --user ${otherId}`)).exitCode).toBe(2);
    expect([...freezes, ...unfreezes]).toEqual([]);
  });

  test('wallets freeze --dry-run asks for no confirmation, and marks the data', async () => {
    const ran = await run(`freeze --user ${otherId} --dry-run --json`);
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'active', dryRun: true });
    expect(freezes).toMatchObject([{ dryRun: true }]);
    expect((await run(`freeze --user ${otherId} --dry-run`)).out).toContain('nothing was changed');
  });

  test.each([
    ['freeze -y', 'user', 2],
    [`freeze --user ${otherId} --currency XXA -y`, 'currency', 2],
    [`freeze --user ${otherId} --note ${'x'.repeat(501)} -y`, 'note', 2],
  ])('wallets %s is refused before anything is sent', async (line, field, exitCode) => {
    const ran = await run(`${line} --json`);
    expect(ran.exitCode).toBe(exitCode);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field } });
    expect(freezes).toEqual([]);
  });

  test('wallets freeze of an unknown wallet ends with exit code 5', async () => {
    const ran = await run(`freeze --user ${otherId} --currency USD -y --json`);
    expect(ran.exitCode).toBe(5);
    expect(ran.err).toContain('wallet wallets list');
  });
});
