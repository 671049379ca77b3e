import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import type { Result } from '../../../core/reasons.ts';
import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { killConnections } from '../../../tests/support/postgres/kill-connections.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createDb, type Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { decideOnly } from '../rpc/dry-run.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit } from './group-commit.ts';
import type { Busy } from './commit-items.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { walletsOf } from '../domain.ts';

const log = createLog('silent');
let test: TestDatabase;
let userId: string;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  userId = randomUUID();
});

afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const command = ({
  userId: owner = userId,
  ...fields
}: Partial<Command> & { userId?: string } = {}): Command => buildCommand(owner, fields);

/** A group commit of its own; several on one database are several daemons. */
function createDaemon(db: Db = test.db, { deadlineMs = 20_000, isCancelled = false } = {}) {
  const group = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (c) => walletsOf(c).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(db),
  });
  return (c: AuditedCommand): Promise<Result<AuditedDecision>> =>
    group.submit(c, { deadlineMs: performance.now() + deadlineMs, isCancelled: () => isCancelled });
}

const reasonsOf = (results: readonly (Result<AuditedDecision> | Busy)[]) =>
  results.flatMap((result) => {
    if (typeof result === 'string') return [result];
    return result.ok ? [] : [result.rejection.reason];
  });

async function balanceOf(owner = userId): Promise<bigint> {
  const rows = await test.query<{ balance: string }>('SELECT balance FROM wallets WHERE id = $1', [
    walletIdOf(owner, 'BRL'),
  ]);
  return BigInt(rows[0]?.balance ?? 0);
}

describe('concurrency', () => {
  it('of 200 withdrawals of 1.00 from 100.00, by three daemons, exactly 100 succeed', async () => {
    const daemons = [createDaemon(), createDaemon(), createDaemon()];
    await daemons[0]!(command({ amountMinor: 10_000n }));
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) => daemons[i % 3]!(command({ operation: 'withdraw' }))),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(100);
    expect(new Set(reasonsOf(results))).toEqual(new Set(['INSUFFICIENT_FUNDS']));
    expect(await balanceOf()).toBe(0n);
  });

  it('50 sends of one key to three daemons have one effect and equal answers', async () => {
    const daemons = [createDaemon(), createDaemon(), createDaemon()];
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => daemons[i % 3]!(command({ key: 'one' }))),
    );
    const posted = results.map((result) => (result.ok ? result.value : undefined));
    expect(posted.filter((p) => p?.isReplayed === false)).toHaveLength(1);
    const seqAndHash = posted.map((p) => [p?.entry.id, p?.entry.seq, p?.entry.hash]);
    expect(new Set(seqAndHash.map(String)).size).toBe(1);
    expect(await balanceOf()).toBe(100n);
  });

  it('of 50 undos of one purchase, by three daemons, one succeeds', async () => {
    const daemons = [createDaemon(), createDaemon(), createDaemon()];
    await daemons[0]!(command({ amountMinor: 1000n }));
    const bought = command({ operation: 'purchase', amountMinor: 400n });
    await daemons[0]!(bought);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        daemons[i % 3]!(
          command({
            operation: i % 2 === 0 ? 'cancellation' : 'reversal',
            amountMinor: undefined,
            parentId: bought.transactionId,
          }),
        ),
      ),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(new Set(reasonsOf(results))).toEqual(new Set(['PARENT_ALREADY_UNDONE']));
    expect(await balanceOf()).toBe(1000n);
  });

  it('the commands of one client are committed in the order in which they were sent', async () => {
    const submit = createDaemon();
    const amounts = Array.from({ length: 300 }, (_, i) => BigInt(i + 1));
    await Promise.all(amounts.map((amountMinor) => submit(command({ amountMinor }))));
    const rows = await test.query<{ amount: string }>(
      'SELECT amount FROM transactions ORDER BY seq',
    );
    expect(rows.map((row) => BigInt(row.amount))).toEqual(amounts);
  });
});

describe('faults', () => {
  it('a command that cannot be stored does not fail its neighbours', async () => {
    const submit = createDaemon();
    const bad = command({ description: 'a NUL \0 that was let through' });
    const items = [...Array.from({ length: 40 }, () => command()), bad, command()];
    const results = await Promise.all(items.map(submit));
    expect(results.map((result) => result.ok)).toEqual(items.map((item) => item !== bad));
    expect(results[40]).toMatchObject({ rejection: { metadata: { outcome: 'not done' } } });
    expect(await balanceOf()).toBe(4100n);
  });

  it('an in-doubt commit is resolved by another try, and nothing is done twice', async () => {
    const cutter = await startCommitCutter(test.url);
    const db = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
    try {
      const submit = createDaemon(db);
      await submit(command());
      cutter.cut(3);
      const results = await Promise.all(Array.from({ length: 50 }, () => submit(command())));
      expect(reasonsOf(results)).toEqual([]);
      expect(cutter.cuts).toBe(3);
      expect(await balanceOf()).toBe(5100n);
      // It was their own doing: to these callers nothing is a replay.
      expect(results.some((result) => result.ok && result.value.isReplayed)).toBe(false);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });

  it('a replay stays a replay after an in-doubt commit', async () => {
    const cutter = await startCommitCutter(test.url);
    const db = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
    try {
      const submit = createDaemon(db);
      await submit(command({ key: 'known' }));
      cutter.cut(2);
      const keys = ['known', 'new', 'new'];
      const results = await Promise.all(keys.map((key) => submit(command({ key }))));
      expect(cutter.cuts).toBe(2);
      expect(results.map((result) => result.ok && result.value.isReplayed)).toEqual([
        true,
        false,
        true,
      ]);
      expect(await balanceOf()).toBe(200n);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });

  it('a defect in the next try leaves the outcome of an in-doubt commit unknown', async () => {
    const cutter = await startCommitCutter(test.url);
    const db = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
    const commitOnce = createOptimisticCommit(db);
    let calls = 0;
    const group = createGroupCommit<AuditedCommand, AuditedDecision>({
      keysOf: (c) => walletsOf(c).map(({ id }) => id),
      maxCommits: 2,
      log,
      explain: explainDefects(log),
      commit: (...args) =>
        ++calls === 1 ? commitOnce(...args) : Promise.reject(new Error('a defect')),
    });
    try {
      cutter.cut(1);
      const waiting = { deadlineMs: performance.now() + 20_000, isCancelled: () => false };
      expect(reasonsOf([await group.submit(command(), waiting)])).toEqual(['OUTCOME_UNKNOWN']);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });

  it('an in-doubt commit at the deadline is OUTCOME_UNKNOWN, and a retry is a replay', async () => {
    const cutter = await startCommitCutter(test.url);
    const db = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
    try {
      const submit = createDaemon(db, { deadlineMs: 700 });
      cutter.cut(1_000);
      expect(reasonsOf([await submit(command({ key: 'lost' }))])).toEqual(['OUTCOME_UNKNOWN']);
      cutter.cut(0);
      const again = await createDaemon(db)(command({ key: 'lost' }));
      expect(again).toMatchObject({ ok: true, value: { isReplayed: true } });
      expect(await balanceOf()).toBe(100n);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });

  it('an unreachable database is answered with DATABASE_UNAVAILABLE; nothing was done', async () => {
    const url = test.url.replace(/host=[^&]*/, 'host=%2Fnowhere');
    const db = createDb({ url, name: 'away', maxConnections: 2, log });
    const submit = createDaemon(db, { deadlineMs: 300 });
    expect(reasonsOf([await submit(command())])).toEqual(['DATABASE_UNAVAILABLE']);
    const tables = ['wallets', 'transactions', 'outbox'].map((name) => `SELECT FROM ${name}`);
    expect(await test.query(tables.join(' UNION ALL '))).toEqual([]);
    await db.close();
  });

  it('killed connections lose no commit and repeat none', async () => {
    const submit = createDaemon();
    await submit(command());
    let done = 0;
    const killing = killConnections(test, () => done);
    const send = () => submit(command()).finally(() => (done += 1));
    const results = [];
    for (let i = 0; i < 25; i += 1) {
      results.push(...(await Promise.all(Array.from({ length: 8 }, send))));
    }
    await killing.stop();
    expect(reasonsOf(results)).toEqual([]);
    expect(await balanceOf()).toBe(100n + 200n * 100n);
  });

  it('a cancelled call is not started', async () => {
    const submit = createDaemon(test.db, { isCancelled: true });
    expect(reasonsOf([await submit(command())])).toEqual(['CANCELLED']);
    expect(await balanceOf()).toBe(0n);
  });
});

describe('stored effects', () => {
  it('a commit leaves one outbox row with all its events, a refusal leaves none', async () => {
    const commands = [command(), command(), command({ operation: 'withdraw', amountMinor: 900n })];
    await createOptimisticCommit(test.db)(commands);
    await createOptimisticCommit(test.db)([command({ operation: 'withdraw', amountMinor: 900n })]);
    const rows = await test.query<{ event_count: number; entry_refs: string }>(
      'SELECT * FROM outbox',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.event_count).toBe(2);
    const { id } = commands[0]!.wallet;
    expect(rows[0]?.entry_refs).toBe(`${id} 1\n${id} 2\n`);
  });

  it('a refused command on a wallet never opened does not open it', async () => {
    await createOptimisticCommit(test.db)([command({ operation: 'withdraw' })]);
    expect(await test.query('SELECT 1 FROM wallets')).toEqual([]);
  });

  it('a dry run gives the answer of a real run, and changes nothing', async () => {
    const dry = await decideOnly(test.db, command({ key: 'k' }));
    expect(dry).toMatchObject({ ok: true, value: { entry: { seq: 1n, balanceAfterMinor: 100n } } });
    const refused = await decideOnly(test.db, command({ operation: 'withdraw' }));
    expect(reasonsOf([refused])).toEqual(['INSUFFICIENT_FUNDS']);
    expect(await test.query('SELECT FROM wallets UNION ALL SELECT FROM transactions')).toEqual([]);
  });

  it('many wallets in crossing order by several daemons do not deadlock', async () => {
    const owners = Array.from({ length: 20 }, () => randomUUID());
    // As the product has them: without indexes rows are locked in the order in which they lie.
    const db = createDb({ url: test.url, name: 'commits', maxConnections: 12, isByKey: true, log });
    try {
      const results = await Promise.all(
        [0, 1, 2, 3].map((n) =>
          Promise.all(
            Array.from({ length: 10 }, (_, round) =>
              createOptimisticCommit(db)(
                owners.map((_owner, i) => command({ userId: owners[(i * (n + 1) + round) % 20]! })),
              ),
            ),
          ),
        ),
      );
      expect(reasonsOf(results.flat(2))).toEqual([]);
    } finally {
      await db.close();
    }
  });
});
