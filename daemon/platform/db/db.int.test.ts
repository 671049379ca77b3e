import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import {
  classifyDbError,
  createDb,
  isCommitInDoubt,
  sql,
  sqlStateOf,
  type Db,
  type Tx,
} from './db.ts';
import { findChangeRights, findUnsafeSettings } from './checks.ts';
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
const failSql = sql('test_fail', 'SELECT 1 / 0');

const countRows = async () => (await database.query('SELECT 1 FROM outbox')).length;

/** What a rejected promise was rejected with. */
const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('it succeeded');
    },
    (err: unknown) => err,
  );

describe('values', () => {
  const read = async (text: string, values: unknown[] = []) => {
    const rows = await db.read((tx) => tx.query<{ v: unknown }>(sql(`v ${text}`, text), values));
    return rows[0]?.v;
  };

  it.each([0n, -1n, 9_007_199_254_740_993n, 9_223_372_036_854_775_807n])(
    'the int8 value %s is read as it was written',
    async (value) => {
      expect(await read('SELECT $1::int8 AS v', [value])).toBe(value);
    },
  );

  it.each([
    ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T10:00:00.5Z', '2026-11-22T10:00:00.500Z'],
    ['2026-11-22T10:00:00.123456Z', '2026-11-22T10:00:00.123Z'],
    ['2026-11-22T10:00:00.999999Z', '2026-11-22T10:00:00.999Z'],
    ['2026-11-22T10:00:00.000001+05:30', '2026-11-22T04:30:00.000Z'],
    ['1969-12-31T23:59:59.25Z', '1969-12-31T23:59:59.250Z'],
  ])('timestamptz %s is read as milliseconds, truncated and not rounded', async (text, iso) => {
    expect(await read('SELECT $1::timestamptz AS v', [text])).toBe(Date.parse(iso));
  });

  it('a time is read correctly from a database with another time zone', async () => {
    await database.query(`DO $$ BEGIN EXECUTE format(
      'ALTER DATABASE %I SET timezone = ''Asia/Kolkata''', current_database()); END $$`);
    const fresh = createDb({ ...options(), url: database.url });
    const rows = await fresh.read((tx) =>
      tx.query<{ v: number }>(sql('t', "SELECT '2026-11-22T10:00:00Z'::timestamptz AS v")),
    );
    await fresh.close();
    expect(rows[0]?.v).toBe(Date.parse('2026-11-22T10:00:00Z'));
  });

  it('bytea is read as bytes, and an absent value as null', async () => {
    const bytes = Buffer.from([0, 1, 255, 92, 39]);
    expect(await read('SELECT $1::bytea AS v', [bytes])).toEqual(bytes);
    expect(await read('SELECT NULL::int8 AS v')).toBeNull();
  });
});

const options = () => ({ name: 'test', maxConnections: 2, log: createLog('silent') });

describe('a transaction', () => {
  it('a transaction commits all or, after a failed statement, nothing', async () => {
    await db.tx(async (tx) => [await insert(tx, 'a'), await insert(tx, 'b')]);
    expect(await countRows()).toBe(2);
    const err = await errorOf(
      db.tx(async (tx) => {
        await insert(tx, 'c');
        await tx.query(failSql);
      }),
    );
    expect(sqlStateOf(err)).toBe('22012');
    expect(await countRows()).toBe(2);
  });

  it('a transaction whose work throws is rolled back, and rejects with that error', async () => {
    const mistake = new Error('ours');
    const err = await errorOf(
      db.tx(async (tx) => {
        await insert(tx, 'a');
        throw mistake;
      }),
    );
    expect(err).toBe(mistake);
    expect(await countRows()).toBe(0);
  });

  it('a transaction whose COMMIT is answered with ROLLBACK rejects', async () => {
    const err = await errorOf(
      db.tx(async (tx) => {
        await insert(tx, 'a');
        await tx.query(failSql).catch(() => undefined);
      }),
    );
    expect(String(err)).toContain('COMMIT was answered with ROLLBACK');
    expect(isCommitInDoubt(err)).toBe(false);
    expect(classifyDbError(err)).toBe('unexpected');
    expect(await countRows()).toBe(0);
  });

  it('a transaction leaves its connection usable for the next, also after a failure', async () => {
    const single = createDb({ ...options(), url: database.url, maxConnections: 1 });
    for (let i = 0; i < 5; i += 1) {
      await errorOf(single.tx((tx) => tx.query(failSql)));
      await single.tx((tx) => insert(tx, String(i)));
    }
    await single.close();
    expect(await countRows()).toBe(5);
  });

  it('execute returns the number of rows that it changed', async () => {
    await db.tx((tx) => insert(tx, 'a'));
    await db.tx((tx) => insert(tx, 'b'));
    const changed = await db.tx((tx) =>
      tx.execute(sql('upd', 'UPDATE outbox SET event_count = 2')),
    );
    expect(changed).toBe(2);
  });
});

describe('reading', () => {
  const countSql = sql('test_count', 'SELECT count(*) AS count FROM outbox');
  const count = async (tx: Tx) => (await tx.query<{ count: bigint }>(countSql))[0]?.count;

  it('a snapshot sees one moment and changes nothing', async () => {
    await db.snapshot(async (tx) => {
      expect(await count(tx)).toBe(0n);
      await db.tx((other) => insert(other, 'a'));
      expect(await count(tx)).toBe(0n);
    });
    const err = await errorOf(db.snapshot((tx) => insert(tx, 'b')));
    expect(sqlStateOf(err)).toBe('25006');
  });

  it('without a snapshot each statement sees what is committed', async () => {
    await db.read(async (tx) => {
      expect(await count(tx)).toBe(0n);
      await db.tx((other) => insert(other, 'a'));
      expect(await count(tx)).toBe(1n);
    });
  });
});

describe('checks at start', () => {
  it('the owner has rights to change the ledger, and the daemon’s role has none', async () => {
    expect(await db.read((tx) => findChangeRights(tx, 'transactions'))).toEqual([]);
    const owner = createDb({ ...options(), url: database.ownerUrl });
    const rights = await owner.read((tx) => findChangeRights(tx, 'transactions'));
    await owner.close();
    expect(rights).toEqual(['UPDATE', 'DELETE', 'TRUNCATE', 'column UPDATE', "its owner's"]);
  });

  it.each([
    ['GRANT DELETE ON transactions TO wallet_app', ['DELETE']],
    ['GRANT TRUNCATE ON transactions TO PUBLIC', ['TRUNCATE']],
    ['GRANT UPDATE (amount) ON transactions TO wallet_app', ['column UPDATE']],
  ])('after %s the daemon’s role has the rights %j to change the ledger', async (grant, rights) => {
    await database.query(grant);
    expect(await db.read((tx) => findChangeRights(tx, 'transactions'))).toEqual(rights);
  });

  it('a setting with which the server could lose commits is named', async () => {
    expect(await db.read(findUnsafeSettings)).toEqual([]);
    await database.query(`DO $$ BEGIN EXECUTE format(
      'ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`);
    const fresh = createDb({ ...options(), url: database.url });
    expect(await fresh.read(findUnsafeSettings)).toEqual(['synchronous_commit=off']);
    await fresh.close();
  });

  it('a setting with which a failover could lose commits is named', async () => {
    expect(await db.read((tx) => findUnsafeSettings(tx, true))).toEqual([]);
    await database.query(`DO $$ BEGIN EXECUTE format(
      'ALTER DATABASE %I SET synchronous_commit = local', current_database()); END $$`);
    const fresh = createDb({ ...options(), url: database.url });
    expect(await fresh.read(findUnsafeSettings)).toEqual([]);
    const risks = await fresh.read((tx) => findUnsafeSettings(tx, true));
    expect(risks).toEqual(['synchronous_commit=local']);
    await fresh.close();
  });
});

it('each lost database connection is reported once, and none while the pool closes', async () => {
  const log = createLog('silent');
  const warn = vi.spyOn(log, 'warn');
  const lost = () => warn.mock.calls.filter(([, text]) => text === 'database connection lost');
  const own = createDb({ url: database.url, name: 'lost', maxConnections: 2, log });
  const pidSql = sql('test_pid', 'SELECT pg_backend_pid() AS pid, pg_sleep(0.2)');
  const readPids = () =>
    Promise.all(
      [1, 2].map(() => own.tx(async (tx) => (await tx.query<{ pid: number }>(pidSql))[0])),
    );
  const end = (rows: readonly ({ pid: number } | undefined)[]) =>
    database.query(
      `SELECT pg_terminate_backend(pid) FROM unnest('{${rows.map((row) => row?.pid).join()}}'::int[]) AS p (pid)`,
    );
  await end(await readPids());
  await expect.poll(() => lost().length, { timeout: 20_000 }).toBe(2);
  const second = await readPids();
  const closed = own.close();
  await end(second);
  await closed;
  expect(lost()).toHaveLength(2);
});
