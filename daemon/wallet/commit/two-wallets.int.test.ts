import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createLog } from '../../platform/log.ts';
import { walletsOf, type Command } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit } from './group-commit.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';

const log = createLog('silent');
let test: TestDatabase;
let users: readonly string[];

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  users = Array.from({ length: 10 }, () => randomUUID());
});

afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

/** A group commit of its own; several on one database are several daemons. */
function createDaemon() {
  const group = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (command) => walletsOf(command).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(test.db),
  });
  return async (command: AuditedCommand): Promise<string> => {
    const deadlineMs = performance.now() + 30_000;
    const done = await group.submit(command, { deadlineMs, isCancelled: () => false });
    return done.ok ? 'done' : done.rejection.reason;
  };
}

const ofStaff = { callerClass: 'staff', actor: 'staff' } as const;

const transferOf = (from: string, to: string, amountMinor: bigint): Command =>
  buildCommand(from, { operation: 'transfer', amountMinor, more: { other: brlWalletOf(to) } });

const undoOf = (
  owner: string,
  parentId: string,
  amountMinor: bigint | undefined,
  more?: Command['more'],
): Command =>
  buildCommand(owner, { operation: 'reversal', parentId, amountMinor, more, ...ofStaff });

async function readWallet(userId: string) {
  const [row] = await test.query<{ balance: string; floor: string }>(
    'SELECT balance, floor FROM wallets WHERE id = $1',
    [walletIdOf(userId, 'BRL')],
  );
  return { balance: Number(row?.balance ?? 0), floor: Number(row?.floor ?? 0) };
}

it('of 20 undos of parts of 100.00 at once, by three daemons, none passes what is left', async () => {
  const daemons = [createDaemon(), createDaemon(), createDaemon()];
  const [owner = '', payee = ''] = users;
  const parent = transferOf(owner, payee, 10_000n);
  expect(await daemons[0]!(buildCommand(owner, { amountMinor: 10_000n }))).toBe('done');
  expect(await daemons[0]!(parent)).toBe('done');
  const other = brlWalletOf(payee);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      daemons[i % 3]!(undoOf(owner, parent.transactionId, 900n, { other })),
    ),
  );
  expect(answers.filter((answer) => answer === 'done')).toHaveLength(11);
  expect(new Set(answers)).toEqual(new Set(['done', 'UNDO_EXCEEDS_PARENT']));
  // What is left can be undone without an amount, once.
  const rest = Array.from({ length: 5 }, (_, i) =>
    daemons[i % 3]!(undoOf(owner, parent.transactionId, undefined, { other })),
  );
  expect((await Promise.all(rest)).sort()).toEqual([
    ...Array.from({ length: 4 }, () => 'PARENT_ALREADY_UNDONE'),
    'done',
  ]);
  expect(await readWallet(owner)).toEqual({ balance: 10_000, floor: 0 });
  expect(await readWallet(payee)).toEqual({ balance: 0, floor: 0 });
});

it('200 transfers at once in a ring of 10 wallets, by two daemons, leave the sum as it was', async () => {
  const daemons = [createDaemon(), createDaemon()];
  for (const user of users) {
    expect(await daemons[0]!(buildCommand(user, { amountMinor: 1_000n }))).toBe('done');
  }
  const transfers = Array.from({ length: 200 }, (_, i) => {
    const [from = '', to = ''] = [users[i % 10], users[(i + 1) % 10]];
    return transferOf(from, to, BigInt(1 + ((i * 37) % 400)));
  });
  const twice = [...transfers, ...transfers];
  const answers = await Promise.all(twice.map((command, i) => daemons[(i >> 1) % 2]!(command)));
  expect(new Set(answers)).toContain('done');
  const [sum] = await test.query<{ all: string }>('SELECT sum(balance) AS all FROM wallets');
  expect(sum?.all).toBe('10000');
  const sides = await test.query<{ sides: string }>(
    `SELECT count(*) AS sides FROM transactions WHERE operation = 6 GROUP BY id`,
  );
  expect(new Set(sides.map((row) => row.sides))).toEqual(new Set(['2']));
});

it('the floor is what a forced undo reached, whatever came in the same batch behind it', async () => {
  const commit = createOptimisticCommit(test.db);
  const [owner = ''] = users;
  const deposit = buildCommand(owner, { amountMinor: 1_000n });
  const spent = buildCommand(owner, { operation: 'withdraw', amountMinor: 800n });
  const clawback = undoOf(owner, deposit.transactionId, undefined, { isForced: true });
  const batch = [deposit, spent, clawback, buildCommand(owner, { amountMinor: 300n })];
  const answers = await commit(batch);
  expect(answers.every((answer) => typeof answer !== 'string' && answer.ok)).toBe(true);
  expect(await readWallet(owner)).toEqual({ balance: -500, floor: -800 });
});
