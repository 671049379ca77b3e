import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import {
  classifyDbError,
  constraintOf,
  createDb,
  isCommitInDoubt,
  sql,
  sqlStateOf,
  type Db,
  type Tx,
} from './db.ts';
import { refuseTransient } from './refusals.ts';
import { createLog } from '../log.ts';

let database: TestDatabase;
let db: Db;

beforeEach(async () => {
  database = await createTestDatabase('wallet');
  ({ db } = database);
});

afterEach(() => database.drop());

const insertSql = sql(
  'test_insert',
  `INSERT INTO outbox (events, event_count) VALUES (json_build_array($1::text), $2)`,
);
const insert = (tx: Tx, text: string, count = 1) => tx.execute(insertSql, [text, count]);
const pidSql = sql('test_pid', 'SELECT pg_backend_pid() AS pid');

const countRows = async () => (await database.query('SELECT 1 FROM outbox')).length;
const pidOf = async (tx: Tx) => (await tx.query<{ pid: number }>(pidSql))[0]!.pid;

/** What a rejected promise was rejected with. */
const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('it succeeded');
    },
    (err: unknown) => err,
  );

const options = () => ({ name: 'test', maxConnections: 2, log: createLog('silent') });

describe('database errors', () => {
  it('a lost answer leaves the outcome of a write in doubt, and not that of a read', async () => {
    const cutter = await startCommitCutter(database.url);
    const cutDb = createDb({ ...options(), url: cutter.url });
    try {
      cutter.cut(1);
      const err = await errorOf(cutDb.snapshot((tx) => pidOf(tx)));
      expect(cutter.cuts).toBe(1);
      expect(classifyDbError(err)).toBe('transient');
      expect(isCommitInDoubt(err)).toBe(false);
      // The same cut of a transaction that may write leaves it in doubt.
      cutter.cut(1);
      expect(isCommitInDoubt(await errorOf(cutDb.tx((tx) => insert(tx, 'a'))))).toBe(true);
    } finally {
      await cutDb.close();
      await cutter.stop();
    }
  });

  it('a killed backend is a transient error, and the pool recovers', async () => {
    const err = await errorOf(
      db.tx(async (tx) => {
        await insert(tx, 'a');
        await database.query('SELECT pg_terminate_backend($1)', [await pidOf(tx)]);
        await insert(tx, 'b');
      }),
    );
    expect(classifyDbError(err)).toBe('transient');
    expect(isCommitInDoubt(err)).toBe(false);
    await db.tx((tx) => insert(tx, 'c'));
    expect(await countRows()).toBe(1);
  });

  it('a transaction rejects with its first error, not with those that follow from it', async () => {
    const err = await errorOf(
      db.tx(async (tx) => {
        const broken = insert(tx, 'a', null as unknown as number);
        const behind = insert(tx, 'b');
        await Promise.allSettled([broken, behind]);
        await behind;
      }),
    );
    expect(sqlStateOf(err)).toBe('23502');
    expect(classifyDbError(err)).toBe('data');
  });

  it('a backend killed before COMMIT is answered leaves the outcome in doubt', async () => {
    const err = await errorOf(
      db.tx(async (tx) => {
        await insert(tx, 'a');
        await database.query('SELECT pg_terminate_backend($1)', [await pidOf(tx)]);
      }),
    );
    expect(isCommitInDoubt(err)).toBe(true);
    expect(classifyDbError(err)).toBe('transient');
  });

  it('a server that is now read-only is a transient error; its connection is dropped', async () => {
    const readOnlySql = sql('test_read_only', 'SET default_transaction_read_only = on');
    const held = await db.read(async (tx) => {
      await tx.execute(readOnlySql);
      return pidOf(tx);
    });
    const err = await errorOf(db.tx((tx) => insert(tx, 'a')));
    expect(sqlStateOf(err)).toBe('25006');
    expect(classifyDbError(err)).toBe('transient');
    await db.tx((tx) => insert(tx, 'b'));
    expect(await db.read(pidOf)).not.toBe(held);
    expect(await countRows()).toBe(1);
  });

  it('idle backends that are killed end neither the process nor the pool', async () => {
    const pids = await Promise.all([1, 2, 3].map(() => db.read(pidOf)));
    await database.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid', [pids]);
    const used = await Promise.allSettled(
      [1, 2, 3, 4].map((i) => db.tx((tx) => insert(tx, `${i}`))),
    );
    for (const outcome of used) {
      if (outcome.status === 'rejected') expect(classifyDbError(outcome.reason)).toBe('transient');
    }
    await db.tx((tx) => insert(tx, 'later'));
  });

  it('a lock that is not acquired in time is a transient error', async () => {
    await db.tx((tx) => insert(tx, 'a'));
    const lockSql = sql('test_lock', 'SELECT id FROM outbox FOR UPDATE');
    await db.tx(async (holder) => {
      await holder.query(lockSql);
      const err = await errorOf(
        db.tx(async (tx) => {
          await tx.execute(sql('test_limit', "SET LOCAL lock_timeout = '30ms'"));
          await tx.query(lockSql);
        }),
      );
      expect(sqlStateOf(err)).toBe('55P03');
      expect(classifyDbError(err)).toBe('transient');
    });
  });

  it('a statement that takes too long is a transient error', async () => {
    const err = await errorOf(
      db.tx(async (tx) => {
        await tx.execute(sql('test_limit2', "SET LOCAL statement_timeout = '30ms'"));
        await tx.query(sql('test_sleep', 'SELECT pg_sleep(5)'));
      }),
    );
    expect(classifyDbError(err)).toBe('transient');
  });

  it('a server that is unavailable is a transient error', async () => {
    const away = createDb({ ...options(), url: 'postgres://u@127.0.0.1:1/none' });
    expect(classifyDbError(await errorOf(away.read(pidOf)))).toBe('transient');
    await away.close();
  });

  it('every connection has time-outs for statements, locks and idle transactions', async () => {
    const timeoutsSql = sql(
      'test_timeouts',
      `SELECT pg_backend_pid() AS pid FROM pg_settings WHERE setting <> '0' AND name IN
       ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')`,
    );
    const readTimeouts = (tx: Tx) => tx.query<{ pid: number }>(timeoutsSql);
    // One within the other, so that each has a connection of its own.
    const read = (count: number): Promise<{ pid: number }[]> =>
      db.read(async (tx) => [
        ...(await readTimeouts(tx)),
        ...(count > 1 ? await read(count - 1) : []),
      ]);
    const rows = await read(3);
    expect(new Set(rows.map(({ pid }) => pid)).size).toBe(3);
    expect(rows).toHaveLength(3 * 3);
  });

  it.each([
    [
      'a key that is taken',
      '23505',
      'INSERT INTO relay_leases VALUES ($1, gen_random_uuid(), 1, now()), ($1, gen_random_uuid(), 1, now())',
    ],
    [
      'a value out of bounds',
      '22003',
      'INSERT INTO outbox (events, event_count) VALUES (to_json($1::text), 3000000000)',
    ],
    [
      'a value that is missing',
      '23502',
      'INSERT INTO outbox (events, event_count) VALUES (to_json($1::text), NULL)',
    ],
  ])('%s is classified as an error of the data', async (_what, state, text) => {
    const err = await errorOf(db.tx((tx) => tx.execute(sql(`bad ${state}`, text), ['x'])));
    expect(sqlStateOf(err)).toBe(state);
    expect(classifyDbError(err)).toBe('data');
    if (state === '23505') expect(constraintOf(err)).toBe('relay_leases_pkey');
  });

  it('any other error is classified as unexpected', async () => {
    const err = await errorOf(db.read((tx) => tx.query(sql('test_typo', 'SELECT nothing'))));
    expect(classifyDbError(err)).toBe('unexpected');
    expect(classifyDbError(new TypeError('x is not a function'))).toBe('unexpected');
    expect(classifyDbError('text')).toBe('unexpected');
  });
});

describe('classification of errors', () => {
  const sleepSql = sql('test_sleep', 'SELECT pg_sleep(30)');

  it('a cancelled statement keeps its connection, and is reported as DATABASE_BUSY', async () => {
    const pids: number[] = [];
    const one = createDb({ ...options(), maxConnections: 1, url: database.url });
    try {
      const err = await errorOf(
        one.tx(async (tx) => {
          pids.push(await pidOf(tx));
          const sleeping = errorOf(tx.query(sleepSql));
          await database.query('SELECT pg_cancel_backend($1)', [pids[0]]);
          throw await sleeping;
        }),
      );
      expect(sqlStateOf(err)).toBe('57014');
      expect(classifyDbError(err)).toBe('transient');
      expect(refuseTransient(err).rejection.reason).toBe('DATABASE_BUSY');
      pids.push(await one.read(pidOf));
      expect(pids[1]).toBe(pids[0]);
    } finally {
      await one.close();
    }
  });

  it.each(['Connection dropped', 'timeout', 'terminated', '14 UNAVAILABLE: No connection'])(
    'an error from elsewhere is unexpected, whatever its text is: %s',
    async (words) => {
      const thrown = Object.assign(new Error(words), { code: 14 });
      const err = await errorOf(db.tx(() => Promise.reject(thrown)));
      expect(classifyDbError(err)).toBe('unexpected');
    },
  );

  it('a pool that gives no connection in time is reported as DATABASE_UNAVAILABLE', async () => {
    const one = createDb({ ...options(), maxConnections: 1, url: database.url });
    try {
      const holding = errorOf(one.read((tx) => tx.query(sleepSql)));
      const late = errorOf(one.read(pidOf));
      expect(classifyDbError(await late)).toBe('transient');
      expect(refuseTransient(await late).rejection.reason).toBe('DATABASE_UNAVAILABLE');
      await database.query(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)' AND pid <> pg_backend_pid()",
      );
      await holding;
    } finally {
      await one.close();
    }
  });
});
