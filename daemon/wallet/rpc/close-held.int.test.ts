import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import {
  CloseWalletRequest,
  WalletStatus,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs, createTestTrail } from '../../../tests/support/grpc/calls.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { findHoldFaults } from '../../../tests/support/ledger/hold-rows.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { createKnownUsers } from '../requests/users.ts';
import { updateTerms } from '../store/terms.ts';
import { closeWallet } from './close.ts';

const [userId, payeeId] = [randomUUID(), randomUUID()] as [string, string];
const operator = callAs(randomUUID(), 'operator');
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
    expect(await findHoldFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const options = () => ({
  ...{ commitDb: test.db, defaultCurrency: 'BRL', trail: createTestTrail(test) },
  users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
  isOutboxFull: () => false,
  onEvents: () => undefined,
});
const close = (fields: Partial<CloseWalletRequest> = {}) =>
  closeWallet(options(), CloseWalletRequest.fromPartial({ userId, ...fields }), operator);
const sweep = (fields: Partial<CloseWalletRequest> = {}) =>
  close({ sweepToUserId: payeeId, idempotencyKey: 'k', ...fields });
const deposit = (amountMinor: bigint): Command => buildCommand(userId, { amountMinor });
const book = (...commands: Command[]) => createOptimisticCommit(test.db)(commands);

const hold = (expiresInMs: number): Command =>
  buildCommand(userId, {
    ...{ operation: 'hold', amountMinor: 30n, merchant: 'shop', callerClass: 'staff' },
    more: { expiresInMs },
  });
const release = ({ transactionId }: Command): Command =>
  buildCommand(userId, {
    ...{ operation: 'release', amountMinor: undefined, callerClass: 'staff' },
    parentId: transactionId,
  });
const held = {
  rejection: { reason: 'WALLET_NOT_EMPTY', metadata: { held: '0.30', currency: 'BRL' } },
};

it('a wallet is not closed while a hold is open, with or without a sweep', async () => {
  const placed = hold(3_600_000);
  await book(deposit(100n), placed);
  expect(await sweep()).toMatchObject(held);
  expect(await close()).toMatchObject(held);
  expect(await countTransfers()).toBe(0);
  await book(release(placed));
  expect(await sweep()).toMatchObject({ value: { wallet: { balanceMinor: 0n } } });
});

it('a hold whose time is over is released by the closing, and by no dry run', async () => {
  const placed = hold(50);
  await book(deposit(100n), placed);
  await vi.waitFor(
    async () => {
      const past = `SELECT FROM holds WHERE expires_at < clock_timestamp()`;
      expect(await test.query(past)).toHaveLength(1);
    },
    { timeout: 20_000, interval: 10 },
  );
  const closing = { value: { wallet: { status: WalletStatus.CLOSED } } };
  expect(await sweep({ dryRun: true })).toMatchObject(closing);
  expect(await test.query("SELECT FROM holds WHERE state = 'open'")).toHaveLength(1);
  expect(await sweep()).toMatchObject(closing);
  expect(await test.query("SELECT FROM holds WHERE state = 'expired'")).toHaveLength(1);
});

it('spending limits do not keep staff from emptying a wallet', async () => {
  await book(deposit(100n));
  const limits = { dayMinor: 1n, timezone: 'UTC' };
  await test.db.tx((tx) =>
    updateTerms(tx, walletIdOf(userId, 'BRL'), { overdraftMinor: 0n, limits }),
  );
  expect(await sweep()).toMatchObject({ value: { wallet: { status: WalletStatus.CLOSED } } });
});

const countTransfers = async (): Promise<number> =>
  (await test.query('SELECT FROM transactions WHERE operation = 6')).length;
