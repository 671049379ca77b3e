import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { operations } from '../../../core/operations.ts';
import type {
  StreamTransactionsRequest,
  TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { item } from '../../../tests/support/grpc/client.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import type { VerifiedKey } from '../../platform/access/api-keys.ts';
import { createAuditTrail } from '../../platform/audit/audit.ts';
import { createDb, type Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import { createLog } from '../../platform/log.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { createDryRuns } from './dry-run.ts';
import { explainDefects } from '../commit/alarms.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { createStreamHandlers } from './stream.ts';
import { createKnownUsers } from '../requests/users.ts';
import { walletsOf } from '../domain.ts';
import { connectClient } from '../../../tests/support/postgres/client.ts';

const log = createLog('silent');
const ana = randomUUID();
const deposit = (fields: Partial<TransactionItem> = {}): TransactionItem =>
  item({ operation: 1, amountMinor: 100n, ...fields });

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

/** The service's stream, with switches for what may be in its way. */
function createService(commitDb: Db = test.db) {
  const state = { isOutboxFull: false, isAuthAway: false };
  const { streamTransactions } = createStreamHandlers({
    db: test.db,
    groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
      keysOf: (c) => walletsOf(c).map(({ id }) => id),
      maxCommits: 2,
      log,
      explain: explainDefects(log),
      commit: createOptimisticCommit(commitDb),
    }),
    users: createKnownUsers((ids) =>
      state.isAuthAway ? Promise.reject(new Error('away')) : Promise.resolve(new Set(ids)),
    ),
    defaultCurrency: 'BRL',
    selfServiceOperations: new Set(operations),
    localOperations: new Set(operations),
    isOutboxFull: () => state.isOutboxFull,
    trail: createAuditTrail({ db: test.db, log }),
    log,
  });
  if (!streamTransactions) throw new Error('no such handler');
  return { state, streamTransactions };
}

function contextOf(apiKey?: Partial<VerifiedKey>): CallContext {
  const key = {
    keyId: 'k',
    userId: ana,
    role: 'customer',
    scopes: ['transactions:write'],
  } as const;
  const owner = { hasOwnerTotp: false, asOfMs: 0 };
  const bounds = { walletId: undefined, operations: [], expiresAtMs: Infinity, ...owner };
  return {
    requestId: 'r',
    principal: {
      kind: 'user',
      userId: ana,
      role: 'customer',
      sessionId: undefined,
      apiKey: apiKey && { ...key, ...bounds, ...apiKey },
    },
    source: '127.0.0.1',
    deadlineMs: Infinity,
    isCancelled: () => false,
  };
}

type Message = readonly TransactionItem[];

/** Sends a message once the one before it is answered, after what is to happen in between. */
async function send(
  { streamTransactions }: ReturnType<typeof createService>,
  messages: readonly (Message | (() => void))[],
  context = contextOf(),
): Promise<string[]> {
  const outcomes: string[] = [];
  let answered: () => void = () => undefined;
  const requests = async function* (): AsyncGenerator<StreamTransactionsRequest> {
    for (const message of messages) {
      if (typeof message === 'function') {
        message();
        continue;
      }
      const isAnswered = new Promise<void>((resolve) => (answered = resolve));
      yield { items: [...message], dryRun: false };
      await isAnswered;
    }
  };
  const opened = await streamTransactions(requests(), context);
  if (!opened.ok) return [opened.rejection.reason];
  try {
    for await (const { results } of opened.value) {
      outcomes.push(...results.map(outcomeOf));
      answered();
    }
  } catch (err) {
    outcomes.push(`ended: ${findTransientRejection(err)?.reason ?? String(err)}`);
  }
  return outcomes;
}

const countEntries = async (): Promise<number> =>
  (await test.query<{ n: number }>('SELECT count(*)::int AS n FROM transactions'))[0]?.n ?? -1;

describe('transient failures', () => {
  it('after a transient failure the stream starts nothing more, even with room again', async () => {
    const service = createService();
    const outcomes = await send(service, [
      [deposit()],
      () => (service.state.isOutboxFull = true),
      [deposit(), deposit({ amountMinor: 0n })],
      () => (service.state.isOutboxFull = false),
      [deposit()],
    ]);
    expect(outcomes).toEqual(['done', 'OUTBOX_FULL', 'AMOUNT_INVALID', 'OUTBOX_FULL']);
    expect(await countEntries()).toBe(1);
    expect(await send(service, [[deposit()]])).toEqual(['done']);
  });

  it('after a failed check of users the stream starts nothing more', async () => {
    const service = createService();
    service.state.isAuthAway = true;
    const outcomes = await send(service, [
      [deposit(), deposit({ amountMinor: 0n })],
      () => (service.state.isAuthAway = false),
      [deposit()],
    ]);
    expect(outcomes).toEqual(['AUTH_UNAVAILABLE', 'AMOUNT_INVALID', 'AUTH_UNAVAILABLE']);
    expect(await countEntries()).toBe(0);
  });
});

describe('wallets locked by another transaction', () => {
  it('a locked wallet stays refused for the rest of a stream, and others go on', async () => {
    const limits = { maxConnections: 4, lockTimeoutMs: 100 };
    const db = createDb({ url: test.url, name: 'commits', ...limits, log });
    const service = createService(db);
    await send(service, [[deposit(), deposit({ currency: 'EUR' })]]);
    const client = await connectClient(test.superUrl);
    await client.query('BEGIN');
    await client.query("SELECT 1 FROM wallets WHERE currency = 'BRL' FOR UPDATE");
    const both = [deposit(), deposit({ currency: 'EUR' }), deposit()];
    const release = () => void client.query('ROLLBACK');
    expect(await send(service, [both, release, both])).toEqual([
      ...['WALLET_BUSY', 'done', 'WALLET_BUSY'],
      ...['WALLET_BUSY', 'replayed', 'WALLET_BUSY'],
    ]);
    expect(await send(service, [both])).toEqual(['done', 'replayed', 'done']);
    await client.end();
    await db.close();
  });
});

describe('database failures', () => {
  it('a stream goes on after lost answers to COMMIT, and nothing is done twice', async () => {
    const cutter = await startCommitCutter(test.url);
    const db = createDb({ url: cutter.url, name: 'wallet', maxConnections: 4, log });
    try {
      const service = createService(db);
      const messages = Array.from({ length: 6 }, () => Array.from({ length: 50 }, () => deposit()));
      cutter.cut(4);
      const outcomes = await send(service, messages);
      expect(cutter.cuts).toBe(4);
      expect(outcomes).toHaveLength(300);
      expect(outcomes.filter((o) => o !== 'done' && o !== 'replayed')).toEqual([]);
      expect(await countEntries()).toBe(300);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });
});

describe('an API key', () => {
  it('an API key reaches only its wallet and operations, and each denial is recorded', async () => {
    const service = createService();
    const bounds = { walletId: walletIdOf(ana, 'BRL'), operations: ['deposit' as const] };
    const items = [deposit(), deposit({ currency: 'USD' }), deposit({ operation: 2 }), deposit()];
    expect(await send(service, [items], contextOf(bounds))).toEqual([
      'done',
      'PERMISSION_DENIED',
      'OPERATION_NOT_ALLOWED',
      'done',
    ]);
    // Denials are recorded behind the answer.
    const text = `SELECT 1 FROM audit_log WHERE action = 'denied streamTransactions'`;
    const countDenials = async () => (await test.query(text)).length;
    await expect.poll(countDenials, { timeout: 20_000 }).toBe(2);
  });
});

describe('large answers', () => {
  it('answers that are larger than a message are split, in order', async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 16 }, (_, i) => [`key ${i}`.padEnd(250, 'k'), 'v'.repeat(250)]),
    );
    const keys = Array.from({ length: 600 }, (_, i) => `large ${i}`);
    const service = createService();
    const large = keys.map((idempotencyKey) => deposit({ idempotencyKey, metadata }));
    await send(service, [large]);
    // Each seventh asks for another amount, so that the results differ.
    const small = keys.map((idempotencyKey, i) =>
      deposit({ idempotencyKey, amountMinor: i % 7 === 3 ? 101n : 100n }),
    );
    const opened = await service.streamTransactions(
      (async function* () {
        yield await Promise.resolve({ items: small, dryRun: false });
      })(),
      contextOf(),
    );
    if (!opened.ok) throw new Error(opened.rejection.reason);
    const sizes: number[] = [];
    const outcomes: string[] = [];
    for await (const { results } of opened.value) {
      sizes.push(results.length);
      for (const result of results) {
        const { outcome } = result;
        const seq = outcome?.$case === 'created' ? outcome.value.transaction?.seq : undefined;
        outcomes.push(`${outcomeOf(result)} ${seq ?? '-'}`);
      }
    }
    expect(sizes.length).toBeGreaterThan(4);
    expect(outcomes).toEqual(
      keys.map((_key, i) => (i % 7 === 3 ? 'IDEMPOTENCY_KEY_REUSED -' : `replayed ${i + 1}`)),
    );
  });
});

describe('dry runs', () => {
  const command = (): Command => buildCommand(ana, { amountMinor: 1n });
  const owner = { userId: ana, findIdleSinceMs: () => undefined, end: () => undefined };
  const limits = { maxRemembered: 3, maxAtOnce: 1, maxOfOne: 1, minIdleMs: 0 };
  const begin = (runs: ReturnType<typeof createDryRuns>) => {
    const run = runs.begin(test.db, owner);
    if (!run.ok) throw new Error(run.rejection.reason);
    return run.value;
  };

  it('a dry run remembers a limited number of items, and reports when it is full', async () => {
    const run = begin(createDryRuns(limits));
    const first = await run.decide([command(), command()]);
    const second = await run.decide([command(), command()]);
    expect([...first, ...second].map((result) => result.ok)).toEqual([true, true, true, false]);
    const [after] = await run.decide([command()]);
    expect(after).toMatchObject({
      ok: false,
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'items', limit: '3' } },
    });
    expect(await countEntries()).toBe(0);
  });

  it('the number of concurrent dry runs is limited, until one ends', () => {
    const runs = createDryRuns(limits);
    const run = begin(runs);
    expect(runs.begin(test.db, owner)).toMatchObject({ rejection: { reason: 'OVERLOADED' } });
    run.release();
    expect(runs.begin(test.db, owner).ok).toBe(true);
  });
});
