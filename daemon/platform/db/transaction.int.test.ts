import { afterEach, beforeEach, expect, it } from 'vitest';

import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createLog } from '../log.ts';
import { createDb, isCommitInDoubt, sql, sqlStateOf, type Db, type Tx } from './db.ts';

let database: TestDatabase;
let db: Db;

const open = (url: string): Db =>
  createDb({ url, name: 'transaction', maxConnections: 1, log: createLog('silent') });

beforeEach(async () => {
  database = await createTestDatabase('wallet');
  db = open(database.url);
});
afterEach(async () => {
  await db.close();
  await database.drop();
});

const insertSql = sql(
  'test_insert',
  `INSERT INTO outbox (events, event_count) VALUES (json_build_array($1::text), 1)`,
);
const insert = (tx: Tx, text: string): Promise<number> => tx.execute(insertSql, [text]);
const failSql = sql('test_fail', 'SELECT 1 / $1::int');
const countSql = sql('test_count', 'SELECT count(*) AS count FROM outbox');
const count = async (tx: Tx): Promise<bigint | undefined> =>
  (await tx.query<{ count: bigint }>(countSql))[0]?.count;
const pidSql = sql('test_pid', 'SELECT pg_backend_pid() AS pid');
const pidOf = async (tx: Tx): Promise<number | undefined> =>
  (await tx.query<{ pid: number }>(pidSql))[0]?.pid;

const readTexts = async (): Promise<unknown[]> => {
  const rows = await database.query<{ events: [string] }>('SELECT events FROM outbox ORDER BY id');
  return rows.map(({ events: [text] }) => text);
};
const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('it succeeded');
    },
    (err: unknown) => err,
  );

it('COMMIT sent with the last statements commits them all', async () => {
  const inserted = await db.tx(async (tx, sendCommit) => {
    await count(tx);
    const writes = [insert(tx, 'a'), insert(tx, 'b')];
    sendCommit();
    return Promise.all(writes);
  });
  expect(inserted).toEqual([1, 1]);
  expect(await readTexts()).toEqual(['a', 'b']);
});

it('COMMIT sent while BEGIN is not answered comes behind the statements', async () => {
  await db.tx(async (tx, sendCommit) => {
    const write = insert(tx, 'a');
    sendCommit();
    await write;
  });
  expect(await readTexts()).toEqual(['a']);
});

it.each([0, 1, 2])(
  'COMMIT sent behind a statement that fails as number %d commits nothing',
  async (place) => {
    const pid = await db.read(pidOf);
    const err = await errorOf(
      db.tx(async (tx, sendCommit) => {
        await count(tx);
        const send = (n: number): Promise<unknown> =>
          n === place ? tx.execute(failSql, [0]) : insert(tx, String(n));
        const writes = [0, 1, 2].map(send);
        sendCommit();
        await Promise.all(writes);
      }),
    );
    expect(sqlStateOf(err)).toBe('22012');
    expect(isCommitInDoubt(err)).toBe(false);
    expect(await readTexts()).toEqual([]);
    // The connection is still good, and in no transaction.
    expect(await db.read(pidOf)).toBe(pid);
    await db.tx((tx) => insert(tx, 'next'));
    expect(await readTexts()).toEqual(['next']);
  },
);

it('the error of the statement that failed is reported where a later one is looked at', async () => {
  const err = await errorOf(
    db.tx(async (tx, sendCommit) => {
      await count(tx);
      const failing = tx.execute(failSql, [0]).catch(() => undefined);
      const last = insert(tx, 'b');
      sendCommit();
      await Promise.all([failing, last]);
    }),
  );
  expect(sqlStateOf(err)).toBe('22012');
});

it('a failed statement that the work passes over commits nothing and is reported', async () => {
  const err = await errorOf(
    db.tx(async (tx, sendCommit) => {
      await count(tx);
      const writes = [insert(tx, 'a'), tx.execute(failSql, [0])];
      sendCommit();
      await Promise.allSettled(writes);
    }),
  );
  expect(String(err)).toContain('COMMIT was answered with ROLLBACK');
  expect(await readTexts()).toEqual([]);
});

it('a statement behind COMMIT is refused', async () => {
  const err = await errorOf(
    db.tx(async (tx, sendCommit) => {
      await count(tx);
      const first = insert(tx, 'a');
      sendCommit();
      await first;
      await insert(tx, 'b');
    }),
  );
  expect(String((err as Error).cause)).toContain('test_insert was sent behind COMMIT');
  expect(await readTexts()).toEqual(['a']);
});

it('work that fails behind a COMMIT that was done is in doubt', async () => {
  const err = await errorOf(
    db.tx(async (tx, sendCommit) => {
      await count(tx);
      const first = insert(tx, 'a');
      sendCommit();
      await first;
      throw new Error('a defect');
    }),
  );
  expect(isCommitInDoubt(err)).toBe(true);
  expect(await readTexts()).toEqual(['a']);
});

it('a lost answer to a COMMIT that was sent with its statements is in doubt', async () => {
  const cutter = await startCommitCutter(database.url);
  const cut = open(cutter.url);
  try {
    await cut.tx((tx) => insert(tx, 'a'));
    cutter.cut(1);
    const err = await errorOf(
      cut.tx(async (tx, sendCommit) => {
        await count(tx);
        const write = insert(tx, 'b');
        sendCommit();
        await write;
      }),
    );
    expect(isCommitInDoubt(err)).toBe(true);
    expect(await readTexts()).toEqual(['a', 'b']);
  } finally {
    await cut.close();
    await cutter.stop();
  }
});

it('a read that is sent with BEGIN belongs to the transaction', async () => {
  const xidSql = sql('test_xid', 'SELECT pg_current_xact_id()::text AS xid');
  const xids = await db.tx(async (tx) => {
    const [first] = await tx.query<{ xid: string }>(xidSql);
    const [second] = await tx.query<{ xid: string }>(xidSql);
    return [first?.xid, second?.xid];
  });
  expect(xids[0]).toMatch(/^\d+$/);
  expect(xids[0]).toBe(xids[1]);
});

it('a read does not overtake a write that was sent before it', async () => {
  const counts = await db.tx((tx) => Promise.all([insert(tx, 'a'), count(tx), insert(tx, 'b')]));
  expect(counts).toEqual([1, 1n, 1]);
});

it('where BEGIN fails nothing is written', async () => {
  // The connection is in a failed transaction of its own: BEGIN is refused there.
  await errorOf(
    db.read(async (tx) => {
      await tx.query(sql('test_begin', 'BEGIN'));
      await tx.query(failSql, [0]);
    }),
  );
  const err = await errorOf(
    db.tx(async (tx) => {
      await count(tx);
      await insert(tx, 'a');
    }),
  );
  expect(sqlStateOf(err)).toBe('25P02');
  expect(await readTexts()).toEqual([]);
  await db.tx((tx) => insert(tx, 'b'));
  expect(await readTexts()).toEqual(['b']);
});

it('a transaction whose work throws is rolled back, and its connection used again', async () => {
  const pid = await db.read(pidOf);
  const err = await errorOf(
    db.tx(async (tx) => {
      await insert(tx, 'a');
      throw new Error('not to be committed');
    }),
  );
  expect(String(err)).toContain('not to be committed');
  expect(await db.read(pidOf)).toBe(pid);
  await db.tx((tx) => insert(tx, 'b'));
  expect(await readTexts()).toEqual(['b']);
});

it('a snapshot whose work throws leaves its connection usable', async () => {
  const pid = await db.read(pidOf);
  await errorOf(db.snapshot(() => Promise.reject(new Error('given up'))));
  await db.tx((tx) => insert(tx, 'a'));
  expect(await db.read(pidOf)).toBe(pid);
});
