import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { User, type ResolveUsersRequest } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  TransactionItem as Item,
  Wallet,
  WalletStatus,
  type CloseWalletRequest,
  type FreezeWalletRequest,
  type ListWalletsRequest,
  type ReopenWalletRequest,
  type UnfreezeWalletRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
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
let closes: CloseWalletRequest[];
let reopens: ReopenWalletRequest[];
let refused: Error | undefined;
let more: Partial<Wallet>;

const wallet = (status: WalletStatus, owner = otherId): Wallet =>
  Wallet.fromPartial({
    ...{ id: walletId, userId: owner, currency: 'EUR', exponent: 2, status },
    ...{ balanceMinor: 12_345n, seq: 7n, lastAt: new Date('2026-11-22T12:00:00Z'), ...more },
  });

beforeEach(async () => {
  [lists, freezes, unfreezes, closes, reopens] = [[], [], [], [], []];
  [refused, more] = [undefined, {}];
  server = await startFakeServer({
    listWallets: (request: ListWalletsRequest) => {
      lists.push(request);
      const wallets = [wallet(WalletStatus.ACTIVE), wallet(WalletStatus.FROZEN, userId)];
      return { wallets, nextPageToken: '' };
    },
    freezeWallet: (request: FreezeWalletRequest) => {
      freezes.push(request);
      if (request.currency === 'USD') return refusal('WALLET_NOT_FOUND', 'there is no wallet');
      const frozen = request.debitsOnly ? WalletStatus.DEBITS_FROZEN : WalletStatus.FROZEN;
      return { wallet: wallet(request.dryRun ? WalletStatus.ACTIVE : frozen) };
    },
    unfreezeWallet: (request: UnfreezeWalletRequest) => {
      unfreezes.push(request);
      return { wallet: wallet(WalletStatus.ACTIVE) };
    },
    closeWallet: (request: CloseWalletRequest) => {
      closes.push(request);
      if (refused) return refused;
      const shown = { ...wallet(WalletStatus.CLOSED), balanceMinor: 0n };
      if (request.sweepToUserId === undefined) return { wallet: shown };
      const { userId: owner, idempotencyKey } = request;
      const item = Item.fromPartial({
        ...{ userId: owner, currency: 'EUR', amountMinor: 12_345n, idempotencyKey },
        ...{ operation: Operation.TRANSFER, toUserId: request.sweepToUserId },
      });
      return { wallet: shown, ...created({ item, dryRun: request.dryRun }) };
    },
    reopenWallet: (request: ReopenWalletRequest) => {
      reopens.push(request);
      return { wallet: wallet(WalletStatus.ACTIVE) };
    },
    getBalance: () => ({ wallet: wallet(WalletStatus.ACTIVE), asOf: new Date() }),
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: ({ userIds: [id = otherId], emails }: ResolveUsersRequest) => ({
      users: emails.includes('nil@example.com')
        ? []
        : [User.fromPartial({ id, email: 'ana@example.com' })],
    }),
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

test('wallets list shows what is available of each wallet, where that is not all', async () => {
  const titles = (await run('list')).out.split('\n')[0];
  expect(titles).not.toMatch(/AVAILABLE|HELD|OVERDRAFT/);
  more = { heldMinor: 345n, availableMinor: 62_000n, overdraftLimitMinor: 50_000n };
  expect((await run('list')).out).toMatch(/^ *123\.45 +EUR +620\.00 +3\.45 +500\.00 +active/m);
  const csv = await run('list -o csv --columns balance,held,available,overdraft_limit');
  expect(csv.out.split('\r\n')[1]).toBe('123.45,3.45,620.00,500.00');
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
      { userId: otherId, currency: 'EUR', note: 'by phone', dryRun: false, debitsOnly: false },
    ]);
    const debits = await run(`freeze --user ${otherId} --debits-only -y --json`);
    expect(JSON.parse(debits.out)).toMatchObject({ status: 'debits_frozen' });
    expect(freezes[1]).toMatchObject({ debitsOnly: true });
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

describe('wallets close and reopen', () => {
  test('wallets close and reopen send the user, the currency and the note', async () => {
    const closed = await run(`close --user ${otherId} --note asked -y --json`);
    expect(JSON.parse(closed.out)).toMatchObject({ status: 'closed', balance: '0.00' });
    expect(closes).toMatchObject([
      { userId: otherId, currency: 'BRL', note: 'asked', dryRun: false, idempotencyKey: '' },
    ]);
    expect(closes[0]?.sweepToUserId).toBeUndefined();
    const reopened = await run(`reopen --user ${otherId} --currency EUR -y`);
    expect(reopened.out).toMatch(/status +active/);
    expect(reopens).toEqual([{ userId: otherId, currency: 'EUR', note: '', dryRun: false }]);
  });

  test('wallets close --sweep-to prints the transfer, and each run has a key', async () => {
    const argv = `close --user ${otherId} --currency EUR --sweep-to ${userId} -y`;
    const swept = await run(`${argv} --json`);
    expect(JSON.parse(swept.out)).toMatchObject({
      ...{ status: 'closed', balance: '0.00' },
      transaction: { operation: 'transfer', amount: '123.45', replayed: false },
    });
    expect((await run(argv)).out).toMatch(/transferred +123\.45/);
    await run(`${argv} --idempotency-key k1`);
    const keys = closes.map(({ idempotencyKey }) => idempotencyKey);
    expect([keys[2], new Set(keys).size, keys.includes('')]).toEqual(['k1', 3, false]);
    expect(closes.every(({ sweepToUserId }) => sweepToUserId === userId)).toBe(true);
  });

  test('wallets close --sweep-to asks with both users and the balance', async () => {
    const questions: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      return Promise.resolve(false);
    };
    const argv = `close --user ${otherId} --currency EUR --sweep-to ${userId}`;
    const ran = await run(argv, { isTerminal: true, prompter: { confirm } });
    expect(ran).toMatchObject({ exitCode: 130, out: '' });
    expect(questions).toEqual(['Transfer the balance and close this wallet?']);
    for (const shown of ['operator', otherId, userId, '123.45']) expect(ran.err).toContain(shown);
    expect(closes).toEqual([]);
  });

  test('wallets close --dry-run asks for no confirmation, and marks the data', async () => {
    const ran = await run(`close --user ${otherId} --sweep-to ${userId} --dry-run --json`);
    expect(JSON.parse(ran.out)).toMatchObject({ dryRun: true, transaction: { dryRun: true } });
    expect(closes).toMatchObject([{ dryRun: true }]);
    expect((await run(`close --user ${otherId}`)).exitCode).toBe(2);
  });

  test.each([
    ['nil', 2, 'USAGE', undefined],
    ['nil@example.com', 5, 'RECIPIENT_NOT_FOUND', 'name the recipient by id: --sweep-to USER_ID'],
  ])('--sweep-to %s is wrong by its own name', async (payee, exitCode, reason, hint) => {
    const ran = await run(`close --user ${otherId} --sweep-to ${payee} -y --json`);
    expect(ran.exitCode).toBe(exitCode);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: { reason, field: 'sweep_to', ...(hint === undefined ? {} : { hint }) },
    });
    expect(closes).toEqual([]);
  });

  test('a close that open holds prevent lists them', async () => {
    refused = refusal('WALLET_NOT_EMPTY', '5.00 EUR are reserved by holds, and only an empty …');
    const ran = await run(`close --user ${otherId} --currency EUR -y`);
    const list = `wallet holds list --user ${otherId} --state open --currency EUR`;
    expect([ran.exitCode, ran.err.includes(list)]).toEqual([6, true]);
  });

  test.each([
    ['TRANSFER_TO_SELF', 'name another user: --sweep-to EMAIL or --sweep-to USER_ID'],
    ['RECIPIENT_NOT_FOUND', 'check who is paid: --sweep-to EMAIL or --sweep-to USER_ID'],
  ] as const)('a close that ends with %s names --sweep-to', async (reason, hint) => {
    refused = refusal(reason, 'no', { field: 'sweep_to_user_id' });
    const ran = await run(`close --user ${otherId} --sweep-to ${userId} -y --json`);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason, hint } });
  });

  test('a key without a transfer is refused before anything is sent', async () => {
    const ran = await run(`close --user ${otherId} --idempotency-key k -y --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field: 'idempotency_key' } });
    expect(closes).toEqual([]);
  });
});
