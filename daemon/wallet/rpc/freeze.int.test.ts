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
import { changeStatus } from './freeze.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';

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
  status: 'active' | 'frozen',
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
    status,
    { userId, currency: '', note: '', dryRun: false, ...request },
    context,
  );
const stranger = randomUUID();

const statusOf = async () => {
  const [row] = await test.query<{ status: string }>('SELECT status FROM wallets');
  return row?.status;
};

const reasonOf = (result: 'busy' | { ok: boolean; rejection?: { reason: string } }) =>
  result === 'busy' ? result : (result.rejection?.reason ?? 'ok');

describe('freezing', () => {
  it('a freeze and an unfreeze are each recorded once, with their notes', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    const frozen = await setStatus('frozen', { note: 'a stolen phone' });
    expect(frozen).toMatchObject({ ok: true, value: { wallet: { status: WalletStatus.FROZEN } } });
    expect(await setStatus('frozen')).toEqual(frozen);
    expect(await setStatus('active', { note: 'found' })).toMatchObject({
      value: { wallet: { status: WalletStatus.ACTIVE, balanceMinor: 1n } },
    });
    const lines = await readAudit(test);
    expect(lines.map((line) => [line.action, line.target, line.result, line.details])).toEqual([
      ['wallet.freeze', userId, 'ok', { currency: 'BRL', note: 'a stolen phone' }],
      ['wallet.balance', userId, 'ok', { currency: 'BRL' }],
      ['wallet.unfreeze', userId, 'ok', { currency: 'BRL', note: 'found' }],
    ]);
    expect(lines.every((line) => line.actor === operatorId)).toBe(true);
  });

  it('a dry run of a freeze gives the answer of a real one, and changes nothing', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    expect(await setStatus('frozen', { dryRun: true })).toMatchObject({
      value: { wallet: { status: WalletStatus.FROZEN } },
    });
    expect(await statusOf()).toBe('active');
    expect((await readAudit(test)).map((line) => line.action)).toEqual(['wallet.balance']);
  });

  it('a wallet is not frozen if the audit log cannot be written', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    await test.query('DROP TABLE audit_log');
    await expect(setStatus('frozen')).rejects.toThrow('audit_log');
    expect(await statusOf()).toBe('active');
  });

  it('a freeze needs a user, a wallet and a valid note; another user must unfreeze', async () => {
    expect(reasonOf(await setStatus('frozen', { userId: stranger }))).toBe('USER_NOT_FOUND');
    expect(reasonOf(await setStatus('frozen'))).toBe('WALLET_NOT_FOUND');
    expect(reasonOf(await setStatus('frozen', { userId: '' }))).toBe('USER_REQUIRED');
    expect(reasonOf(await setStatus('frozen', { currency: 'XXQ' }))).toBe('CURRENCY_UNKNOWN');
    expect(reasonOf(await setStatus('frozen', { note: '\0' }))).toBe('INVALID_ARGUMENT');
    await createOptimisticCommit(test.db)([command({ operation: 'deposit' })]);
    const owner = callAs(userId, 'operator');
    expect(reasonOf(await setStatus('frozen', {}, owner))).toBe('ok');
    expect(await setStatus('active', {}, owner)).toMatchObject({
      rejection: { reason: 'STAFF_OWN_WALLET', isDenial: true },
    });
    expect(await statusOf()).toBe('frozen');
  });
});

describe('a frozen wallet', () => {
  it('a frozen wallet books nothing after the answer, amid 200 withdrawals', async () => {
    const log = createLog('silent');
    const daemons = [1, 2, 3].map(() =>
      createGroupCommit<AuditedCommand, AuditedDecision>({
        laneKey: (c) => c.wallet.id,
        laneCount: 2,
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
    const freezing = setStatus('frozen').then(async (answer) => {
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
    await setStatus('frozen');
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
