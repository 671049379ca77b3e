import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { WalletStatus } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs, createTestTrail, readAudit } from '../../../tests/support/grpc/calls.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createLog } from '../../platform/log.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { changeStatus } from './change-status.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import type { StatusChange } from '../domain-status.ts';
import { createKnownUsers } from '../requests/users.ts';
import { walletsOf } from '../domain.ts';

const userId = randomUUID();
const operatorId = randomUUID();
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const command = (fields: Partial<Command> = {}): Command =>
  buildCommand(userId, { operation: 'withdraw', amountMinor: 1n, ...fields });

const setStatus = (
  change: StatusChange,
  request: Partial<{ userId: string; currency: string; note: string; dryRun: boolean }> = {},
  context = callAs(operatorId, 'operator'),
) =>
  changeStatus(
    {
      commitDb: test.db,
      trail: createTestTrail(test),
      users: createKnownUsers((ids) =>
        Promise.resolve(new Set(ids.filter((id) => id !== stranger))),
      ),
      defaultCurrency: 'BRL',
    },
    change,
    { userId, currency: '', note: '', dryRun: false, ...request },
    context,
  );
const stranger = randomUUID();

const statusOf = async () => {
  const [row] = await test.query<{ status: string }>('SELECT status FROM wallets');
  return row?.status;
};

const reasonOf = (result: 'busy' | 'behind' | { ok: boolean; rejection?: { reason: string } }) =>
  typeof result === 'string' ? result : (result.rejection?.reason ?? 'ok');

describe('freezing', () => {
  it('a freeze and an unfreeze are each recorded once, with their notes', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    const frozen = await setStatus('freeze', { note: 'a stolen phone' });
    expect(frozen).toMatchObject({ ok: true, value: { wallet: { status: WalletStatus.FROZEN } } });
    expect(await setStatus('freeze')).toEqual(frozen);
    expect(await setStatus('unfreeze', { note: 'found' })).toMatchObject({
      value: { wallet: { status: WalletStatus.ACTIVE, balanceMinor: 1n } },
    });
    const lines = await readAudit(test);
    const toFrozen = { currency: 'BRL', status: 'frozen', previousStatus: 'active' };
    const toActive = { currency: 'BRL', status: 'active', previousStatus: 'frozen' };
    expect(lines.map((line) => [line.action, line.target, line.result, line.details])).toEqual([
      ['wallet.freeze', userId, 'ok', { ...toFrozen, note: 'a stolen phone' }],
      ['wallet.balance', userId, 'ok', { currency: 'BRL' }],
      ['wallet.unfreeze', userId, 'ok', { ...toActive, note: 'found' }],
    ]);
    expect(lines.every((line) => line.actor === operatorId)).toBe(true);
  });

  it('a dry run of a freeze gives the answer of a real one, and changes nothing', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    expect(await setStatus('freeze', { dryRun: true })).toMatchObject({
      value: { wallet: { status: WalletStatus.FROZEN } },
    });
    expect(await statusOf()).toBe('active');
    expect((await readAudit(test)).map((line) => line.action)).toEqual(['wallet.balance']);
  });

  it('a wallet is not frozen if the audit log cannot be written', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    await test.query('DROP TABLE audit_log');
    await expect(setStatus('freeze')).rejects.toThrow('audit_log');
    expect(await statusOf()).toBe('active');
  });

  it('a freeze needs a user, a wallet and a valid note; another user must unfreeze', async () => {
    expect(reasonOf(await setStatus('freeze', { userId: stranger }))).toBe('USER_NOT_FOUND');
    expect(reasonOf(await setStatus('freeze'))).toBe('WALLET_NOT_FOUND');
    expect(reasonOf(await setStatus('freeze', { userId: '' }))).toBe('USER_REQUIRED');
    expect(reasonOf(await setStatus('freeze', { currency: 'XXQ' }))).toBe('CURRENCY_UNKNOWN');
    expect(reasonOf(await setStatus('freeze', { note: '\0' }))).toBe('INVALID_ARGUMENT');
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    const owner = callAs(userId, 'operator');
    expect(reasonOf(await setStatus('freeze', {}, owner))).toBe('ok');
    expect(await setStatus('unfreeze', {}, owner)).toMatchObject({
      rejection: { reason: 'STAFF_OWN_WALLET', metadata: { field: 'user_id' }, isDenial: true },
    });
    expect(await statusOf()).toBe('frozen');
  });
});

describe('a frozen wallet', () => {
  it('a frozen wallet books nothing after the answer, amid 200 withdrawals', async () => {
    const log = createLog('silent');
    const daemons = [1, 2, 3].map(() =>
      createGroupCommit<AuditedCommand, AuditedDecision>({
        keysOf: (c) => walletsOf(c).map(({ id }) => id),
        maxCommits: 2,
        log,
        explain: explainDefects(log),
        commit: createOptimisticCommit(test.db),
      }),
    );
    const send = (i: number) =>
      daemons[i % 3]!.submit(command(), {
        deadlineMs: performance.now() + 20_000,
        isCancelled: () => false,
      });
    await createOptimisticCommit(test.db)([command({ operation: 'deposit', amountMinor: 1_000n })]);
    const sent = Array.from({ length: 20 }, (_, i) => send(i));
    await Promise.race(sent);
    let booked: unknown;
    const freezing = setStatus('freeze').then(async (answer) => {
      booked = await test.query('SELECT count(*) FROM transactions');
      return answer;
    });
    for (let i = 0; i < 180; i += 1) {
      sent.push(send(i));
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reasonOf(await freezing)).toBe('ok');
    const results = await Promise.all(sent);
    expect(await test.query('SELECT count(*) FROM transactions')).toEqual(booked);
    expect(reasonOf(await send(0))).toBe('WALLET_FROZEN');
    const reasons = new Set(results.map(reasonOf));
    expect(reasons).toEqual(new Set(['ok', 'WALLET_FROZEN']));
  });

  it('a frozen wallet refuses messages, and calls of staff except an undo', async () => {
    const deposit = command({ operation: 'deposit' });
    await createOptimisticCommit(test.db)([deposit]);
    await setStatus('freeze');
    const undo = { operation: 'reversal', amountMinor: undefined } as const;
    const parentId = deposit.transactionId;
    const results = await createOptimisticCommit(test.db)([
      command({ callerClass: 'message', operation: 'deposit' }),
      command({ callerClass: 'message', parentId, ...undo }),
      command({ callerClass: 'customer', parentId, ...undo }),
      command({ callerClass: 'staff', operation: 'deposit' }),
      deposit,
      command({ callerClass: 'staff', parentId, ...undo }),
    ]);
    const frozen = 'WALLET_FROZEN';
    expect(results.map(reasonOf)).toEqual([frozen, frozen, frozen, frozen, 'ok', 'ok']);
  });
});

describe('debits frozen, and closed', () => {
  it('with its debits frozen a wallet takes credits, and undos of the staff', async () => {
    const deposit = command({ operation: 'deposit', amountMinor: 5n });
    await createOptimisticCommit(test.db)([deposit]);
    expect(await setStatus('freeze_debits')).toMatchObject({
      value: { wallet: { status: WalletStatus.DEBITS_FROZEN } },
    });
    const undo = {
      operation: 'reversal',
      amountMinor: 1n,
      parentId: deposit.transactionId,
    } as const;
    const results = await createOptimisticCommit(test.db)([
      command({ operation: 'deposit' }),
      command(),
      command({ callerClass: 'message' }),
      command({ ...undo, callerClass: 'customer' }),
      command({ ...undo, callerClass: 'staff' }),
    ]);
    const frozen = 'WALLET_FROZEN';
    expect(results.map(reasonOf)).toEqual(['ok', frozen, frozen, frozen, 'ok']);
  });

  it('only a colleague loosens the status of a wallet of staff', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' }), command()]);
    const owner = callAs(userId, 'operator');
    expect(reasonOf(await setStatus('freeze_debits', {}, owner))).toBe('ok');
    expect(reasonOf(await setStatus('freeze', {}, owner))).toBe('ok');
    const denied = ['freeze_debits', 'unfreeze', 'close', 'reopen'] as const;
    for (const change of denied) {
      expect(reasonOf(await setStatus(change, {}, owner))).toBe('STAFF_OWN_WALLET');
      expect(await statusOf()).toBe('frozen');
    }
  });

  it('only an empty wallet is closed, and a closed one is neither frozen nor unfrozen', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit', amountMinor: 150n })]);
    expect(await setStatus('close')).toMatchObject({
      rejection: { reason: 'WALLET_NOT_EMPTY', metadata: { balance: '1.50', currency: 'BRL' } },
    });
    await createOptimisticCommit(test.db)([command({ amountMinor: 150n })]);
    expect(await setStatus('close', { dryRun: true })).toMatchObject({
      value: { wallet: { status: WalletStatus.CLOSED } },
    });
    expect(await statusOf()).toBe('active');
    expect(reasonOf(await setStatus('close'))).toBe('ok');
    expect(reasonOf(await setStatus('close'))).toBe('ok');
    for (const change of ['freeze', 'freeze_debits', 'unfreeze'] as const) {
      expect(reasonOf(await setStatus(change))).toBe('WALLET_CLOSED');
    }
    expect(await statusOf()).toBe('closed');
    expect(reasonOf(await setStatus('reopen', { note: 'a mistake' }))).toBe('ok');
    expect(reasonOf(await setStatus('reopen'))).toBe('ok');
    const lines = await readAudit(test);
    const changes = lines.filter(({ action }) => action !== 'wallet.balance');
    expect(changes.map((line) => [line.action, line.result, line.details])).toEqual([
      ['wallet.close', 'WALLET_NOT_EMPTY', { currency: 'BRL' }],
      ['wallet.close', 'ok', { ...brl, note: '', status: 'closed', previousStatus: 'active' }],
      [
        'wallet.reopen',
        'ok',
        { ...brl, note: 'a mistake', status: 'active', previousStatus: 'closed' },
      ],
    ]);
  });

  it('a closed wallet refuses every command, and answers what was done before', async () => {
    const deposit = command({ operation: 'deposit' });
    await createOptimisticCommit(test.db)([deposit, command()]);
    await setStatus('close');
    const undo = { operation: 'reversal', amountMinor: undefined } as const;
    const parentId = deposit.transactionId;
    const results = await createOptimisticCommit(test.db)([
      command({ operation: 'deposit' }),
      command({ callerClass: 'message', operation: 'deposit' }),
      command({ callerClass: 'staff', operation: 'deposit' }),
      command({ callerClass: 'staff', parentId, ...undo }),
      deposit,
    ]);
    const closed = 'WALLET_CLOSED';
    expect(results.map(reasonOf)).toEqual([closed, closed, closed, closed, 'ok']);
  });

  it('the database itself keeps money out of a closed wallet', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    const closing = test.query("UPDATE wallets SET status = 'closed'");
    await expect(closing).rejects.toThrow('wallets_check');
  });
});

const brl = { currency: 'BRL' };
