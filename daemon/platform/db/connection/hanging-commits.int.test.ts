import { afterAll, beforeAll, expect, it } from 'vitest';

import { waitUntil } from '../../../../tests/support/ledger/ledger.ts';
import { startPostgres, type PostgresServer } from '../../../../tests/support/postgres/server.ts';
import { classifyDbError, createDb, isCommitInDoubt, sql, type Db } from '../db.ts';
import { createLog } from '../../log.ts';

let primary: PostgresServer;
let standby: PostgresServer;
let db: Db;

const addSql = sql('test_add', 'INSERT INTO done (n) VALUES ($1)');
const addSlowSql = sql('test_add_slow', 'INSERT INTO slow (n) VALUES ($1)');
const readSql = sql('test_read', 'SELECT count(DISTINCT n)::int AS n FROM done');
const log = createLog('silent');
const create = () =>
  createDb({
    ...{ url: primary.url({ query: 'application_name=hanging' }), name: 'test', log },
    ...{ maxConnections: 4, commitTimeoutMs: 500 },
  });

beforeAll(async () => {
  primary = await startPostgres();
  standby = await primary.startStandby();
  await primary.query('CREATE TABLE done (n int)');
  // Its COMMITs take a while, for no fault of a standby.
  await primary.query(`CREATE TABLE slow (n int);
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql
      AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER pauses AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION pause()`);
  await primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await primary.query('SELECT pg_reload_conf()');
  db = create();
});

afterAll(async () => {
  standby.thaw();
  await db.close();
  await standby.stop();
  await primary.stop();
});

const add = (n: number, statement = addSql) =>
  db
    .tx((tx) => tx.execute(statement, [n]))
    .then(
      () => 'done',
      (err: unknown) => `${classifyDbError(err)}${isCommitInDoubt(err) ? ', in doubt' : ''}`,
    );

/** How many backends the pool has at the server, and how many of them hang in a COMMIT. */
async function countBackends(): Promise<{ all: number; hanging: number }> {
  const [row] = await primary.query<{ all: number; hanging: number }>(
    `SELECT count(*)::int AS all, count(*) FILTER (WHERE wait_event = 'SyncRep')::int AS hanging
     FROM pg_stat_activity WHERE application_name = 'hanging'`,
  );
  return row ?? { all: 0, hanging: 0 };
}

const read = async () => (await db.read((tx) => tx.query<{ n: number }>(readSql)))[0]?.n;

it('COMMITs that hang leave no more backends at the server than half of the pool', async () => {
  await waitUntil('the standby answers', async () => (await add(1)) === 'done');
  standby.freeze();
  expect(await Promise.all([add(2), add(3)])).toEqual(Array(2).fill('transient, in doubt'));
  for (let n = 4; n < 30; n += 1) expect(await add(n)).toBe('transient');
  const { all, hanging } = await countBackends();
  expect(hanging).toBe(2);
  expect(all).toBeLessThanOrEqual(4);
  // Nothing is kept from those who read.
  expect(await Promise.all([read(), read()])).toEqual([1, 1]);

  standby.thaw();
  await waitUntil('there is room again', async () => (await add(30)) === 'done');
  expect(await read()).toBe(4);
});

it('a pool whose COMMITs hang can be closed', async () => {
  standby.freeze();
  expect(await add(40)).toBe('transient, in doubt');
  await db.close();
  db = create();
  expect(await read()).toBe(4);
});

it('slow COMMITs that wait for no standby do not block other transactions', async () => {
  standby.thaw();
  await waitUntil('the standby answers', async () => (await add(50)) === 'done');
  const slow = await Promise.all([1, 2, 3].map((n) => add(n, addSlowSql)));
  expect(slow).toEqual(Array(3).fill('transient, in doubt'));
  await waitUntil('there is room', async () => (await add(51)) === 'done', 20_000);
});
