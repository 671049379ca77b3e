import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { operationTable } from '../../../core/operations.ts';
import { succeed } from '../../../core/reasons.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeLines } from '../../../tests/support/ledger/statement-model.ts';
import { createLog } from '../../platform/log.ts';
import { migrate } from '../../platform/db/migrate/migrate.ts';
import type { ReadLedger } from '../rebuild/compare.ts';
import type { Line } from '../domain.ts';
import { generate } from './generate.ts';
import { rebuild } from '../rebuild/rebuild.ts';
import { insertLines } from '../store.ts';
import { createRecorder } from '../witness/record.ts';
import { startMs, toLedger, toLines } from '../test-support.ts';

const log = createLog('silent');
const migrations = 'migrations/statement';
const userId = randomUUID();
const wallet = { id: walletIdOf(userId, 'BRL'), userId, currency: 'BRL' };
const range = { fromMs: startMs - 1, toMs: startMs + 400 * 86_400_000, timezone: 'UTC' };
let test: TestDatabase;
let old: string;
let lines: Line[];

/** A database from before lines had what their hash covers, with ten of them. */
beforeEach(async () => {
  test = await createTestDatabase('statement', { isEmpty: true });
  old = await mkdtemp(join(tmpdir(), 'dw-migrations-'));
  const files = (await readdir(migrations)).filter((file) => /^\d/.test(file)).sort();
  const before = files.slice(
    0,
    files.findIndex((file) => file.includes('second-witness')),
  );
  expect(before.length).toBeGreaterThan(3);
  for (const file of before) await cp(join(migrations, file), join(old, file));
  await writeFile(join(old, 'grants.sql'), 'GRANT ALL ON statement_lines TO {{runtime_role}}');
  await migrateTo(old);
  lines = toLines(userId, 'BRL', makeLines(7, 12, startMs, 60_000));
  for (const line of lines.slice(0, 10)) await insertOld(line);
});

afterEach(async () => {
  await test.drop();
  await rm(old, { recursive: true });
});

async function migrateTo(folder: string): Promise<void> {
  const runtimeRole = 'statement_app';
  const outcome = await migrate({ ownerUrl: test.ownerUrl, folder, runtimeRole, log });
  expect(outcome).toMatchObject({ ok: true });
}

const insertOld = (line: Line) =>
  test.query(
    `INSERT INTO statement_lines (wallet_id, seq, transaction_id, user_id, currency, operation,
       amount, balance_after, contra_account, description, occurred_at, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, decode($12, 'hex'))`,
    [
      ...[line.walletId, line.seq, line.transactionId, line.userId, line.currency],
      ...[operationTable[line.operation].code, line.amountMinor, line.balanceAfterMinor],
      ...[line.contraAccount, line.description, new Date(line.occurredAtMs), line.hash],
    ],
  );

const readLedger = (count: number): ReadLedger =>
  async function* (_walletId, { seq }) {
    await Promise.resolve();
    const part = lines.slice(Number(seq), count);
    if (part.length > 0) yield toLedger(part);
  };

/** The statement of everything, where the ledger has so many transactions. */
async function ask(count: number) {
  const head = { seq: BigInt(count), hash: lines[count - 1]?.hash, lastAtMs: 0, asOfMs: 0 };
  const peers = {
    readHead: () => Promise.resolve(succeed(head)),
    readLedger: readLedger(count),
  };
  const reporter = createRecorder(test.db, log);
  const { completeness, extent } = await generate(test.db, wallet, range, {
    ...{ peers, reporter, head, throughSeq: undefined },
  });
  return { ...completeness, lineCount: extent.lineCount };
}

const countDivergences = async (): Promise<number> =>
  (await test.query('SELECT 1 FROM divergences')).length;

async function rebuildAll(count: number): Promise<void> {
  const options = { db: test.db, readLedger: readLedger(count) };
  for await (const { isDone } of rebuild(options, undefined, 'test')) if (isDone) return;
}

it('lines from before are missing, never inconsistent, until a rebuild', async () => {
  await migrateTo(migrations);
  const before = await ask(10);
  expect(before).toEqual({ isComplete: false, behindBy: 10n, lineCount: 0n });
  // Events that come after the migration.
  await test.db.tx((tx) => insertLines(tx, lines.slice(10)));
  const later = await ask(12);
  expect(later).toMatchObject({ isComplete: false });
  expect(later).not.toHaveProperty('inconsistency');
  expect(await countDivergences()).toBe(0);

  await rebuildAll(12);
  expect(await ask(12)).toEqual({ isComplete: true, lineCount: 12n });
  expect(await countDivergences()).toBe(0);
});

it('lines that have everything stay', async () => {
  const [witness = ''] = (await readdir(migrations)).filter((f) => f.includes('second-witness'));
  await cp(join(migrations, witness), join(old, witness));
  await migrateTo(old);
  await test.db.tx((tx) => insertLines(tx, lines.slice(10)));
  await migrateTo(migrations);
  const left = await test.query('SELECT seq FROM statement_lines ORDER BY seq');
  expect(left).toEqual([{ seq: '11' }, { seq: '12' }]);
});
