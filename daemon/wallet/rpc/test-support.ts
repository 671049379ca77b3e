import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect } from 'vitest';

import { operations } from '../../../core/operations.ts';
import {
  Operation,
  type TransactionItem,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../../../tests/support/grpc/client.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createAuditTrail } from '../../platform/audit/audit.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createLog } from '../../platform/log.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';
import { createStreamHandlers } from './stream.ts';
import { createBatchHandlers, type BatchLimits } from './batch.ts';
import { walletsOf } from '../domain.ts';

const log = createLog('silent');
const [ana, bia, otto] = [randomUUID(), randomUUID(), randomUUID()];
/** Two customers, and an operator. */
export const people = { ana, bia, otto };

/** A database for each test, whose ledger is checked afterwards. */
export function useLedger(): { readonly database: () => TestDatabase } {
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
  return { database: () => test };
}

export const deposit = (userId: string, fields: Partial<TransactionItem> = {}): TransactionItem =>
  item({ userId, operation: Operation.DEPOSIT, amountMinor: 100n, ...fields });
export const withdraw = (userId: string, fields: Partial<TransactionItem> = {}): TransactionItem =>
  deposit(userId, { operation: Operation.WITHDRAW, ...fields });
export const transfer = (from: string, to: string, amountMinor: bigint): TransactionItem =>
  item({ userId: from, operation: Operation.TRANSFER, toUserId: to, amountMinor });
export const fee = (userId: string, amountMinor = 1n): TransactionItem =>
  item({ userId, operation: Operation.FEE, amountMinor });
export const groupOf = (
  items: readonly TransactionItem[],
  groupId: string = randomUUID(),
): TransactionItem[] => items.map((one) => ({ ...one, groupId }));
export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

type Wallet = { readonly user_id: string; readonly balance: string };

/** The balances of all wallets by their users, in minor units. */
export async function readBalances(database: TestDatabase): Promise<Record<string, number>> {
  const rows = await database.query<Wallet>('SELECT user_id, balance FROM wallets');
  return Object.fromEntries(rows.map(({ user_id, balance }) => [user_id, Number(balance)]));
}

type Options = {
  readonly commitDb?: Db;
  readonly limits?: BatchLimits;
  /** Awaited after each commit, before it is answered. */
  readonly afterCommit?: () => Promise<void> | undefined;
};

/** The RPC BatchCreateTransactions, with switches for what may be in its way. */
export function createBatchService(test: TestDatabase, options: Options = {}) {
  const { commitDb = test.db, limits, afterCommit } = options;
  const state = { isOutboxFull: false, isAuthAway: false };
  const commit = createOptimisticCommit(commitDb);
  const groupCommit = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (c) => walletsOf(c).map(({ id }) => id),
    groupOf: ({ more }) => more?.group,
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: async (commands, mode) => {
      const answers = await commit(commands, mode);
      await afterCommit?.();
      return answers;
    },
  });
  const { batchCreateTransactions } = createBatchHandlers({
    db: test.db,
    groupCommit,
    users: createKnownUsers((ids) =>
      state.isAuthAway ? Promise.reject(new Error('away')) : Promise.resolve(new Set(ids)),
    ),
    defaultCurrency: 'BRL',
    selfServiceOperations: new Set(operations),
    localOperations: new Set(operations),
    isOutboxFull: () => state.isOutboxFull,
    trail: createAuditTrail({ db: test.db, log }),
    ...(limits ? { limits } : {}),
  });
  if (!batchCreateTransactions) throw new Error('no such handler');
  const call = batchCreateTransactions;
  /** The results, or the refusal of the whole call as the only one. */
  const send = async (
    items: readonly TransactionItem[],
    { context = contextOf(), dryRun = false } = {},
  ): Promise<TransactionResult[]> => {
    const answer = await call({ items: [...items], dryRun }, context);
    if (answer.ok) return answer.value.results;
    const { reason, message, metadata } = answer.rejection;
    const value = { reason: `call: ${reason}`, message, metadata: { ...metadata } };
    return [{ outcome: { $case: 'refusal', value } }];
  };
  /** `done`, `replayed`, or the reason of the refusal of each item. */
  const outcomes = async (...asked: Parameters<typeof send>): Promise<string[]> =>
    (await send(...asked)).map(outcomeOf);
  return { state, groupCommit, send, outcomes };
}

/** The RPC StreamTransactions, on the same terms. */
export function createStreamService(test: TestDatabase) {
  const { streamTransactions } = createStreamHandlers({
    db: test.db,
    groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
      keysOf: (c) => walletsOf(c).map(({ id }) => id),
      groupOf: ({ more }) => more?.group,
      maxCommits: 2,
      log,
      explain: explainDefects(log),
      commit: createOptimisticCommit(test.db),
    }),
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    defaultCurrency: 'BRL',
    selfServiceOperations: new Set(operations),
    localOperations: new Set(operations),
    isOutboxFull: () => false,
    trail: createAuditTrail({ db: test.db, log }),
    log,
  });
  if (!streamTransactions) throw new Error('no such handler');
  return streamTransactions;
}

export const staff = { kind: 'user', userId: otto, role: 'operator', sessionId: 's' } as const;

export const contextOf = (changes: Partial<CallContext> = {}): CallContext => ({
  requestId: randomUUID(),
  principal: { ...staff, apiKey: undefined },
  source: '127.0.0.1',
  deadlineMs: performance.now() + 30_000,
  isCancelled: () => false,
  ...changes,
});

export const countEntries = async (test: TestDatabase): Promise<number> =>
  (await test.query<{ n: number }>('SELECT count(*)::int AS n FROM transactions'))[0]?.n ?? -1;
