import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import { createStatementWorld, userOf, type StatementWorld } from '../test-support.ts';
import * as files from './store-files.ts';
import * as work from './store-work.ts';
import { callsOf } from './test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  statement = await world.start();
});

afterEach(async () => {
  await statement.stop();
  await database.drop();
});

const query = (text: string, values: unknown[] = []) =>
  database.query<Record<string, string>>(text, values);

/** Due exports of these people, in this order, that only the test claims. */
async function place(...people: readonly UserPrincipal[]): Promise<void> {
  await statement.stop();
  const calls = callsOf(statement);
  for (const person of people) await calls.made(person, { idempotencyKey: randomUUID() });
}

it('requesters take turns: one user’s many exports do not hold up those of others', async () => {
  const [ana, bia, caio] = [0, 1, 2].map(() => world.know(userOf()));
  await place(ana!, ana!, ana!, ana!, bia!, bia!, caio!);
  const names = new Map([
    [ana!.userId, 'ana'],
    [bia!.userId, 'bia'],
    [caio!.userId, 'caio'],
  ]);
  const order: (string | undefined)[] = [];
  for (let i = 0; i < 7; i += 1) {
    const made = await database.db.tx((tx) => work.claimExport(tx, 60_000));
    order.push(made && names.get(made.requestedBy));
  }
  expect(order).toEqual(['ana', 'bia', 'caio', 'ana', 'bia', 'ana', 'ana']);
  expect(await database.db.tx((tx) => work.claimExport(tx, 60_000))).toBeUndefined();
});

it('staff who poll an export leave one audit line each, and one for each download', async () => {
  const operator = world.know(userOf('operator'));
  const ana = world.know(userOf());
  const calls = callsOf(statement);
  const { id } = await calls.made(operator, { userId: ana.userId });
  for (let i = 0; i < 20; i += 1) await calls.get(id, operator);
  await calls.get(id, world.know(userOf('admin')));
  const lines = await query(
    `SELECT actor FROM audit_log WHERE action = 'export.get' AND target = $1`,
    [id],
  );
  expect(lines.length).toBe(2);
  // Each download is on record: it gives the content away.
  await calls.ended(id, operator);
  await calls.download(id, operator);
  await calls.download(id, operator);
  const downloads = await query(`SELECT 1 FROM audit_log WHERE action = 'export.download'`);
  expect(downloads.length).toBe(2);
});

it('an expired file is deleted in portions, also after a restart', async () => {
  const ana = world.know(userOf());
  const calls = callsOf(statement);
  const { id } = await calls.made(ana);
  await calls.ended(id, ana);
  await statement.stop();
  await query(
    `INSERT INTO export_chunks (export_id, attempt, n, byte_offset, data)
     SELECT $1, 1, n, n, '' FROM generate_series(1000, 1999) AS n`,
    [id],
  );
  await query(`UPDATE exports SET expires_at = clock_timestamp()`);
  expect(await database.db.tx(files.expireExport)).toBe(id);
  const left = async (): Promise<number> => (await query('SELECT 1 FROM export_chunks')).length;
  const whole = await left();
  expect(await database.db.tx(files.removeEndedFile)).toBe(true);
  expect(await left()).toBe(whole - 200);
  // As after a restart.
  statement = await world.start();
  await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 20_000, interval: 50 });
  expect(await database.db.tx(files.removeEndedFile)).toBe(false);
});
