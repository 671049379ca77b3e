import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { operations } from '../../../core/operations.ts';
import type {
  StreamTransactionsRequest,
  TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { item } from '../../../tests/support/grpc/client.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import { createAuditTrail } from '../../platform/audit/audit.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createLog } from '../../platform/log.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import { createHandlers } from '../rpc/handlers.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { createStreamHandlers } from '../rpc/stream.ts';
import { createKnownUsers } from '../requests/users.ts';
import { walletsOf } from '../domain.ts';

const log = createLog('silent');
const ana = randomUUID();
const state = { isOutboxFull: false };
const deposit = (fields: Partial<TransactionItem> = {}): TransactionItem =>
  item({ operation: 1, amountMinor: 100n, ...fields });

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase('wallet');
  state.isOutboxFull = false;
});
afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

function createService() {
  const groupCommit = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (c) => walletsOf(c).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(test.db),
  });
  const options = {
    ...{ db: test.db, commitDb: test.db, groupCommit, log },
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    defaultCurrency: 'BRL',
    selfServiceOperations: new Set(operations),
    localOperations: new Set(operations),
    isOutboxFull: () => state.isOutboxFull,
    onEvents: () => undefined,
    trail: createAuditTrail({ db: test.db, log }),
  };
  const { createTransaction } = createHandlers(options);
  const { streamTransactions } = createStreamHandlers(options);
  if (!createTransaction || !streamTransactions) throw new Error('no such handler');
  return {
    post: async (asked: TransactionItem): Promise<string> => {
      const result = await createTransaction({ item: asked, dryRun: false }, context);
      if (!result.ok) return result.rejection.reason;
      return result.value.replayed ? 'replayed' : 'done';
    },
    stream: async (items: readonly TransactionItem[]): Promise<string[]> => {
      const requests = async function* (): AsyncGenerator<StreamTransactionsRequest> {
        yield await Promise.resolve({ items: [...items], dryRun: false });
      };
      const opened = await streamTransactions(requests(), context);
      if (!opened.ok) return [opened.rejection.reason];
      const outcomes: string[] = [];
      for await (const { results } of opened.value) outcomes.push(...results.map(outcomeOf));
      return outcomes;
    },
  };
}

const context: CallContext = {
  requestId: 'r',
  principal: { kind: 'user', userId: ana, role: 'customer', sessionId: 's', apiKey: undefined },
  source: '127.0.0.1',
  deadlineMs: Infinity,
  isCancelled: () => false,
};

const countRows = async (table: 'transactions' | 'wallets'): Promise<number> =>
  (await test.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]?.n ?? -1;

describe('full outbox', () => {
  it('with a full outbox, a call done before is answered, and a new one is refused', async () => {
    const service = createService();
    const first = deposit();
    expect(await service.post(first)).toBe('done');
    state.isOutboxFull = true;
    expect(await service.post(first)).toBe('replayed');
    expect(await service.post({ ...first, amountMinor: 101n })).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await service.post(deposit())).toBe('OUTBOX_FULL');
    expect(await countRows('transactions')).toBe(1);
    state.isOutboxFull = false;
    expect(await service.post(deposit())).toBe('done');
  });

  it('with a full outbox, a refused deposit opens no wallet', async () => {
    state.isOutboxFull = true;
    expect(await createService().post(deposit())).toBe('OUTBOX_FULL');
    expect(await countRows('wallets')).toBe(0);
  });

  it('with a full outbox, a repeated stream gets an answer for each item done before', async () => {
    const service = createService();
    const [a, b, c] = [deposit(), deposit(), deposit()];
    expect(await service.stream([a, b])).toEqual(['done', 'done']);
    state.isOutboxFull = true;
    expect(await service.stream([a, c, b])).toEqual(['replayed', 'OUTBOX_FULL', 'replayed']);
    expect(await countRows('transactions')).toBe(2);
  });
});
