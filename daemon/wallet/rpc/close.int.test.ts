import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import {
  CloseWalletRequest,
  WalletStatus,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs, createTestTrail, readAudit } from '../../../tests/support/grpc/calls.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createLog } from '../../platform/log.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { walletsOf, type Command } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';
import { changeStatus } from './change-status.ts';
import { closeWallet } from './close.ts';

const [userId, payeeId, operatorId, stranger] = [
  ...[randomUUID(), randomUUID()],
  ...[randomUUID(), randomUUID()],
] as [string, string, string, string];
const operator = callAs(operatorId, 'operator');
const state = { isOutboxFull: false, wakes: 0 };
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  Object.assign(state, { isOutboxFull: false, wakes: 0 });
});
afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
    expect(await test.query(shutIn)).toEqual([]);
  } finally {
    await test.drop();
  }
});
const shutIn = "SELECT id FROM wallets WHERE status = 'closed' AND balance <> 0";

const options = () => ({
  commitDb: test.db,
  trail: createTestTrail(test),
  users: createKnownUsers((ids) => Promise.resolve(new Set(ids.filter((id) => id !== stranger)))),
  defaultCurrency: 'BRL',
  isOutboxFull: () => state.isOutboxFull,
  onEvents: () => (state.wakes += 1),
});

const close = (fields: Partial<CloseWalletRequest> = {}, context = operator) =>
  closeWallet(options(), CloseWalletRequest.fromPartial({ userId, ...fields }), context);
const sweep = (fields: Partial<CloseWalletRequest> = {}, context = operator) =>
  close({ sweepToUserId: payeeId, idempotencyKey: 'k', ...fields }, context);
const setStatus = (change: Parameters<typeof changeStatus>[1], of = userId) => {
  const request = { userId: of, currency: '', note: '', dryRun: false };
  return changeStatus(options(), change, request, operator);
};

const deposit = (amountMinor: bigint, of = userId): Command => buildCommand(of, { amountMinor });
const transfer = (from: string, to: string, fields: Partial<Command> = {}): Command => {
  const more = { other: brlWalletOf(to) };
  return buildCommand(from, { operation: 'transfer', amountMinor: 1n, more, ...fields });
};
const book = (...commands: Command[]) => createOptimisticCommit(test.db)(commands);

type Outcome = 'busy' | 'behind' | { ok: boolean; rejection?: { reason: string } };
const reasonOf = (result: Outcome) =>
  typeof result === 'string' ? result : (result.rejection?.reason ?? 'ok');

const readWallets = () =>
  test.query<{ user_id: string; status: string; balance: string; terms_no: number }>(
    'SELECT user_id, status, balance::text, terms_no FROM wallets w ORDER BY w.balance',
  );
const countRows = async () => {
  const [row] = await test.query(
    'SELECT (SELECT count(*) FROM transactions) AS entries, (SELECT count(*) FROM outbox) AS events',
  );
  return row;
};

describe('closing with a sweep', () => {
  it('a sweep transfers the whole balance and closes the wallet in one commit', async () => {
    await book(deposit(1_234n));
    const closed = await sweep({ note: 'moved house' });
    expect(closed).toMatchObject({
      value: {
        wallet: { status: WalletStatus.CLOSED, balanceMinor: 0n, seq: 2n },
        transaction: { amountMinor: 1_234n, counterpartyUserId: payeeId, balanceAfterMinor: 0n },
        replayed: false,
      },
    });
    expect(await readWallets()).toMatchObject([
      { user_id: userId, status: 'closed', balance: '0', terms_no: 1 },
      { user_id: payeeId, status: 'active', balance: '1234', terms_no: 0 },
    ]);
    expect(state.wakes).toBe(1);
    const lines = await readAudit(test);
    expect(lines.map((line) => [line.action, line.result, line.target])).toEqual([
      ['transaction.create', 'ok', userId],
      ['wallet.close', 'ok', userId],
    ]);
    expect(lines[0]?.details).toMatchObject({ amount: '12.34', otherUserId: payeeId });
    expect(lines[0]?.details).not.toHaveProperty('forced');
    expect(lines[1]?.details).toMatchObject({ status: 'closed', note: 'moved house' });
  });

  it('a sweep sent again with its key gets the same answer, and moves nothing more', async () => {
    await book(deposit(500n));
    const first = await sweep();
    const rows = await countRows();
    const again = await sweep();
    if (!first.ok || !again.ok) throw new Error('the wallet was not closed');
    expect(again.value).toEqual({ ...first.value, replayed: true });
    expect(await countRows()).toEqual(rows);
    await setStatus('reopen');
    await book(deposit(7n));
    expect(await sweep()).toMatchObject({
      value: {
        wallet: { status: WalletStatus.ACTIVE, balanceMinor: 7n },
        transaction: { id: first.value.transaction?.id },
        replayed: true,
      },
    });
    expect((await readWallets()).map(({ balance }) => balance)).toEqual(['7', '500']);
  });

  it('50 sweeps at once with one key make one transfer', async () => {
    await book(deposit(500n));
    const all = await Promise.all(Array.from({ length: 50 }, () => sweep()));
    const made = all.filter((answer) => answer.ok && !answer.value.replayed);
    expect(made.length).toBe(1);
    expect(new Set(all.map(reasonOf))).toEqual(new Set(['ok']));
    expect(await countRows()).toMatchObject({ entries: '3' });
  });

  it('a sweep of an empty or closed wallet closes it and makes no transfer', async () => {
    await book(deposit(1n), buildCommand(userId, { operation: 'withdraw', amountMinor: 1n }));
    for (const idempotencyKey of ['a', 'a', 'b']) {
      expect(await sweep({ idempotencyKey })).toMatchObject({
        value: { wallet: { status: WalletStatus.CLOSED }, transaction: undefined },
      });
    }
    // The payee's wallet was not opened for it.
    expect((await readWallets()).map(({ user_id }) => user_id)).toEqual([userId]);
  });

  it('a dry run of a sweep gives the answer of a real one, and changes nothing', async () => {
    await book(deposit(500n));
    const rows = await countRows();
    expect(await sweep({ dryRun: true })).toMatchObject({
      value: {
        wallet: { status: WalletStatus.CLOSED, balanceMinor: 0n },
        transaction: { amountMinor: 500n },
      },
    });
    expect(await countRows()).toEqual(rows);
    expect(await readWallets()).toMatchObject([{ status: 'active', balance: '500' }]);
    expect((await readAudit(test)).map(({ action }) => action)).toEqual(['wallet.balance']);
  });

  it('a key of another transaction is refused', async () => {
    const transactionId = transactionIdOf(walletIdOf(userId, 'BRL'), 'staff', 'k');
    const staff = { key: 'k', callerClass: 'staff', transactionId } as const;
    await book(deposit(500n), transfer(userId, payeeId, staff));
    expect(await sweep()).toMatchObject({
      rejection: { reason: 'IDEMPOTENCY_KEY_REUSED', metadata: { field: 'idempotency_key' } },
    });
    expect((await readWallets()).map(({ status }) => status)).toEqual(['active', 'active']);
    await sweep({ idempotencyKey: 'l' });
    expect(reasonOf(await sweep({ idempotencyKey: 'l', sweepToUserId: operatorId }))).toBe(
      'STAFF_OWN_WALLET',
    );
    expect(reasonOf(await sweep({ idempotencyKey: 'l', sweepToUserId: randomUUID() }))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
  });

  it.each([
    ['RECIPIENT_NOT_FOUND', 'sweep_to_user_id', { sweepToUserId: stranger }],
    ['TRANSFER_TO_SELF', 'sweep_to_user_id', { sweepToUserId: userId }],
    ['INVALID_ARGUMENT', 'sweep_to_user_id', { sweepToUserId: 'ana' }],
    ['INVALID_ARGUMENT', 'idempotency_key', { idempotencyKey: '' }],
    ['STAFF_OWN_WALLET', 'sweep_to_user_id', { sweepToUserId: operatorId }],
    ['STAFF_OWN_WALLET', 'user_id', { userId: operatorId }],
    ['WALLET_NOT_FOUND', undefined, { currency: 'EUR' }],
    ['WALLET_NOT_EMPTY', undefined, { sweepToUserId: undefined }],
  ] as const)(
    'a refusal with %s (field %s) changes nothing and opens no wallet',
    async (reason, field, fields) => {
      await book(deposit(500n));
      const [before, wallets] = [await countRows(), await readWallets()];
      const refused = await sweep(fields);
      expect(reasonOf(refused)).toBe(reason);
      if (!refused.ok) expect(refused.rejection.metadata['field']).toBe(field);
      expect(await countRows()).toEqual(before);
      expect(await readWallets()).toEqual(wallets);
    },
  );

  it('money goes to no payee who cannot receive, nor from a frozen wallet', async () => {
    await book(deposit(500n), deposit(1n, payeeId));
    await setStatus('freeze', payeeId);
    expect(reasonOf(await sweep())).toBe('WALLET_FROZEN');
    await setStatus('freeze_debits', payeeId);
    await setStatus('freeze');
    expect(reasonOf(await sweep())).toBe('WALLET_FROZEN');
    await setStatus('freeze_debits');
    expect(reasonOf(await sweep())).toBe('WALLET_FROZEN');
    await setStatus('unfreeze');
    state.isOutboxFull = true;
    expect(reasonOf(await sweep())).toBe('OUTBOX_FULL');
    state.isOutboxFull = false;
    expect(await readWallets()).toMatchObject([{ balance: '1' }, { balance: '500' }]);
    expect(reasonOf(await sweep())).toBe('ok');
  });
});

describe('a closed wallet and others', () => {
  it('customers are not told why a wallet cannot be paid, and staff are', async () => {
    await book(deposit(500n), deposit(1n, payeeId));
    for (const change of ['freeze', 'close'] as const) {
      await setStatus('unfreeze', payeeId);
      if (change === 'close') await book(transfer(payeeId, userId));
      expect(reasonOf(await setStatus(change, payeeId))).toBe('ok');
      const told = await book(
        transfer(userId, payeeId),
        transfer(userId, payeeId, { callerClass: 'staff' }),
      );
      const reason = change === 'freeze' ? 'WALLET_FROZEN' : 'WALLET_CLOSED';
      expect(told.map(reasonOf)).toEqual(['RECIPIENT_UNAVAILABLE', reason]);
      expect(told[0]).toMatchObject({ rejection: { metadata: { field: 'to_user_id' } } });
    }
  });

  it('a close amid deposits and transfers of two daemons leaves no money in it', async () => {
    const log = createLog('silent');
    const daemons = [1, 2].map(() =>
      createGroupCommit<AuditedCommand, AuditedDecision>({
        keysOf: (c) => walletsOf(c).map(({ id }) => id),
        maxCommits: 2,
        log,
        explain: explainDefects(log),
        commit: createOptimisticCommit(test.db),
      }),
    );
    const other = randomUUID();
    await book(deposit(10_000n, other), deposit(1_000n));
    const waiting = {
      ...{ deadlineMs: performance.now() + 50_000, isCancelled: () => false },
      ...{ patienceMs: 50_000, busyAfterMs: 60_000 },
    };
    const send = (i: number) => {
      const [inwards, outwards] = [transfer(other, userId), transfer(userId, other)];
      const asked = [deposit(1n), inwards, outwards][i % 3] ?? inwards;
      return daemons[i % 2]!.submit(asked, waiting);
    };
    const sent: ReturnType<typeof send>[] = [];
    const answers: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      for (let i = 0; i < 60; i += 1) sent.push(send(i));
      await Promise.race(sent.slice(-60));
      const isSwept = round % 2 === 0;
      const closing = isSwept ? sweep({ idempotencyKey: `${round}` }) : close();
      for (let i = 0; i < 60; i += 1) sent.push(send(i));
      answers.push(reasonOf(await closing));
      expect(await test.query(shutIn)).toEqual([]);
      await Promise.all(sent);
      if (isSwept) {
        sent.push(daemons[1]!.submit(deposit(1n), waiting));
        expect(reasonOf(await sent.at(-1)!)).toBe(closed);
      }
      await setStatus('reopen');
      await book(deposit(1n));
    }
    expect(answers.filter((_answer, i) => i % 2 === 0)).toEqual(['ok', 'ok', 'ok']);
    const reasons = new Set((await Promise.all(sent)).map(reasonOf));
    const expected = ['ok', closed, 'INSUFFICIENT_FUNDS', 'RECIPIENT_UNAVAILABLE'];
    expect(reasons.size).toBeGreaterThan(1);
    expect(expected).toEqual(expect.arrayContaining([...reasons]));
    const deposits = await test.query<{ sum: string }>(
      "SELECT sum(amount)::text FROM transactions WHERE contra_account = 'external:cash'",
    );
    expect(await test.query('SELECT sum(balance)::text FROM wallets')).toEqual(deposits);
  });
});

const closed = 'WALLET_CLOSED';
