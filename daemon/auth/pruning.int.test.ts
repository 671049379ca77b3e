import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../tests/support/postgres/database.ts';
import { pruneCodes } from './mails/codes.ts';
import { pruneSessions } from './sessions/store.ts';
import { sql } from '../platform/db/db.ts';
import { createLog } from '../platform/log.ts';
import { createPruner, type Pruner, type Pruning } from '../platform/db/pruner.ts';

let database: TestDatabase;
let pruner: Pruner | undefined;

beforeEach(async () => {
  database = await createTestDatabase('auth');
});
afterEach(async () => {
  await pruner?.stop();
  await database.drop();
});

function start(...prunings: Pruning[]): Pruner {
  const { db } = database;
  pruner = createPruner({ db, log: createLog('silent'), prunings, firstAfterMs: 1 });
  pruner.start();
  return pruner;
}

const count = async (table: string): Promise<number> =>
  (await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]?.n ?? -1;

const read = (of: Pruner, name: string): number =>
  of.readings.find((reading) => reading.name === name)?.read() ?? -1;

describe('pruning of a backlog', () => {
  it('a backlog whose deletion takes longer than a statement timeout is deleted', async () => {
    await database.query(
      `INSERT INTO mailed_codes (code_hash, purpose, subject, mail_id, expires_at)
       SELECT sha256(n::text::bytea), 'sign-up', 'x' || n, gen_random_uuid(),
         clock_timestamp() - interval '1 hour'
       FROM generate_series(1, 4000) AS n`,
    );
    // A slow disk: 4,000 rows take more than the 15 s that a statement may take.
    await database.query(
      `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM pg_sleep(0.004); RETURN OLD; END $$`,
    );
    await database.query(
      'CREATE TRIGGER slow BEFORE DELETE ON mailed_codes FOR EACH ROW EXECUTE FUNCTION slow()',
    );
    const running = start({ name: 'codes', prune: pruneCodes });
    const wait = { timeout: 50_000, interval: 200 };
    await vi.waitFor(async () => expect(await count('mailed_codes')).toBe(0), wait);
    await vi.waitFor(() => expect(read(running, 'walletd_pruned_rows_total')).toBe(4_000), {
      timeout: 20_000,
    });
  });

  it('expired sessions with thousands of refresh tokens are deleted in portions', async () => {
    const userId = 'a0000000-0000-4000-8000-000000000001';
    await database.query(
      `INSERT INTO users (id, email, password_hash, role, email_verified)
       VALUES ($1, 'a@b.example', 'x', 'customer', true)`,
      [userId],
    );
    await database.query(
      `INSERT INTO sessions (id, user_id, client, expires_at)
       SELECT gen_random_uuid(), $1, '', clock_timestamp() + CASE WHEN n = 1
         THEN interval '1 day' ELSE interval '-1 day' END FROM generate_series(1, 4) AS n`,
      [userId],
    );
    await database.query(
      `INSERT INTO refresh_tokens (token_hash, session_id)
       SELECT sha256((s.id::text || n)::bytea), s.id
       FROM sessions s, generate_series(1, 2500) AS n`,
    );
    const portions: number[] = [];
    start({
      name: 'sessions',
      prune: async (tx, limit) => {
        const rows = await pruneSessions(tx, limit);
        portions.push(rows);
        return rows;
      },
    });
    await vi.waitFor(async () => expect(await count('sessions')).toBe(1), { timeout: 20_000 });
    expect(await count('refresh_tokens')).toBe(2_500);
    expect(Math.max(...portions)).toBeLessThanOrEqual(1_003);
    expect(portions.length).toBeGreaterThan(7);
  });
});

it('a slow portion is retried at half its size; other prunings go on after a failure', async () => {
  const wait = sql('test_sleep', 'SELECT pg_sleep($1), set_config($2, $3, true)');
  const limits: number[] = [];
  const running = start(
    {
      name: 'slow',
      prune: async (tx, limit) => {
        limits.push(limit);
        await tx.query(wait, [0, 'statement_timeout', '400ms']);
        await tx.query(wait, [limit / 1_000, 'statement_timeout', '400ms']);
        return 0;
      },
    },
    { name: 'broken', prune: () => Promise.reject(new Error('a defect')) },
    { name: 'fine', prune: () => Promise.resolve(7) },
  );
  const rowsOf = (name: string): number =>
    running.readings
      .filter((reading) => reading.name === 'walletd_pruned_rows_total')
      .find(({ labels }) => labels?.['of'] === name)
      ?.read() ?? -1;
  await vi.waitFor(() => expect(rowsOf('fine')).toBe(7), { timeout: 20_000 });
  expect(limits).toEqual([1_000, 500, 250]);
  const failures = running.readings.filter(({ name }) => name === 'walletd_prune_failures_total');
  expect(failures.map((reading) => reading.read())).toEqual([2, 1, 0]);
});
