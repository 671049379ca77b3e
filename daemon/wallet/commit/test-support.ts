import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, vi } from 'vitest';

import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { findHoldFaults } from '../../../tests/support/ledger/hold-rows.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { walletsOf, type Command } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit } from './group-commit.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';

const log = createLog('silent');
let test: TestDatabase;
let userId: string;

/** A database and a user for each test; ledger and holds are checked afterwards. */
export function useHolds(): { readonly database: () => TestDatabase } {
  beforeEach(async () => {
    test = await createTestDatabase('wallet');
    userId = randomUUID();
  });
  afterEach(async () => {
    try {
      expect(await findLedgerFaults(test)).toEqual([]);
      expect(await findHoldFaults(test)).toEqual([]);
    } finally {
      await test.drop();
    }
  });
  return { database: () => test };
}

export function createGroup(db: Db = test.db) {
  return createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (command) => walletsOf(command).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(db),
  });
}

/** A group commit of its own; several on one database are several daemons. */
export function createDaemon(db: Db = test.db) {
  const group = createGroup(db);
  return async (command: AuditedCommand): Promise<string> => {
    const deadlineMs = performance.now() + 30_000;
    const done = await group.submit(command, { deadlineMs, isCancelled: () => false });
    return done.ok ? 'done' : done.rejection.reason;
  };
}

const hourMs = 3_600_000;
const ofStaff = { callerClass: 'staff', actor: 'staff' } as const;

export const deposit = (amountMinor: bigint, of = userId): Command =>
  buildCommand(of, { amountMinor });
export const withdraw = (amountMinor: bigint, of = userId): Command =>
  buildCommand(of, { operation: 'withdraw', amountMinor });
export const hold = (amountMinor: bigint, more: Command['more'] = {}, of = userId): Command =>
  buildCommand(of, {
    operation: 'hold',
    amountMinor,
    merchant: 'shop',
    more: { expiresInMs: hourMs, ...more },
    ...ofStaff,
  });
export const use = (
  operation: 'capture' | 'release',
  { transactionId }: Command,
  amountMinor?: bigint,
  more?: Command['more'],
): Command =>
  buildCommand(userId, { operation, amountMinor, parentId: transactionId, more, ...ofStaff });

export const countBy = (outcomes: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};

export async function readWallet(of = userId) {
  const [row] = await test.query<{ balance: string; held: string; next_expiry: Date | null }>(
    'SELECT balance, held, next_expiry FROM wallets WHERE id = $1',
    [brlWalletOf(of).id],
  );
  return row && { balance: Number(row.balance), held: Number(row.held), next: row.next_expiry };
}

export const readHolds = () =>
  test.query<{ id: string; state: string; used: string; captured: string }>(
    'SELECT id, state, used, captured FROM holds ORDER BY seq',
  );

/** Resolves once the clock of the database has passed a time by a millisecond. */
export async function waitUntilPast({ transactionId }: Command): Promise<void> {
  const isPast = `SELECT clock_timestamp() >= expires_at + interval '1 ms' AS past FROM holds
    WHERE id = $1`;
  await vi.waitFor(
    async () => {
      const [row] = await test.query<{ past: boolean }>(isPast, [transactionId]);
      expect(row?.past).toBe(true);
    },
    { timeout: 20_000, interval: 5 },
  );
}

/** The test's database, with an eye on what is sent. */
export function watch(): { readonly db: Db; readonly sent: string[] } {
  const sent: string[] = [];
  const db: Db = {
    ...test.db,
    tx: (work) =>
      test.db.tx((tx, sendCommit) => {
        const query: typeof tx.query = (statement, values) => {
          sent.push(statement.name);
          return tx.query(statement, values);
        };
        const execute: typeof tx.execute = (statement, values) => {
          sent.push(statement.name);
          return tx.execute(statement, values);
        };
        return work({ ...tx, query, execute }, sendCommit);
      }),
  };
  return { db, sent };
}
