import { afterEach, beforeEach, expect, it } from 'vitest';

import {
  createTestDatabase,
  type TestDatabase,
} from '../../../../tests/support/postgres/database.ts';
import { createLog } from '../../log.ts';
import { classifyDbError, createDb, isCommitInDoubt, sql, type Db, type Tx } from '../db.ts';

const pidSql = sql('test_pid', 'SELECT pg_backend_pid() AS pid');
const addSql = sql('test_add', "INSERT INTO outbox (events, event_count) VALUES ('[]', 1)");

let database: TestDatabase;
let db: Db;
/** Processes of the server that a test has stopped. */
let frozen: number[];

beforeEach(async () => {
  database = await createTestDatabase('wallet');
  frozen = [];
  db = createDb({
    ...{ url: database.url, name: 'frozen', maxConnections: 1, log: createLog('silent') },
    ...{ queryTimeoutMs: 3_000 },
  });
});

afterEach(async () => {
  thawAll();
  await db.close();
  await database.drop();
});

const pidOf = async (tx: Tx): Promise<number> =>
  (await tx.query<{ pid: number }>(pidSql))[0]?.pid ?? 0;

/** Stops the server's process behind a connection: nothing sent to it is answered. */
async function freeze(tx: Tx): Promise<void> {
  const pid = await pidOf(tx);
  process.kill(pid, 'SIGSTOP');
  frozen.push(pid);
}

/** They notice that their client has gone, and end. */
function thawAll(): void {
  for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (err: unknown) => err,
  );

/** The only place of the pool is free, for another process of the server. */
async function expectAnother(): Promise<void> {
  const pid = await db.read(pidOf);
  expect(frozen).toHaveLength(1);
  expect(frozen).not.toContain(pid);
}

it('a read that the server does not answer is given up, and its connection too', async () => {
  const err = await errorOf(
    db.read(async (tx) => {
      await freeze(tx);
      await pidOf(tx);
    }),
  );
  expect(classifyDbError(err)).toBe('transient');
  expect(isCommitInDoubt(err)).toBe(false);
  await expectAnother();
});

it('a transaction that the server does not answer before its COMMIT was not done', async () => {
  const err = await errorOf(
    db.tx(async (tx) => {
      await tx.execute(addSql);
      await freeze(tx);
      await tx.execute(addSql);
    }),
  );
  expect(classifyDbError(err)).toBe('transient');
  expect(isCommitInDoubt(err)).toBe(false);
  await expectAnother();
  thawAll();
  expect(await database.query('SELECT 1 FROM outbox')).toEqual([]);
});

it('a snapshot and what is undone are given up likewise', async () => {
  for (const run of [db.snapshot, db.undone]) {
    const err = await errorOf(
      run(async (tx) => {
        await freeze(tx);
        await pidOf(tx);
      }),
    );
    expect(classifyDbError(err)).toBe('transient');
    await expectAnother();
    thawAll();
  }
});
