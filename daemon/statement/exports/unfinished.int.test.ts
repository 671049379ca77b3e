import { afterEach, beforeEach, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import { createStatementWorld, reasonOf, userOf, type StatementWorld } from '../test-support.ts';
import { callsOf } from './test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;
let calls: ReturnType<typeof callsOf>;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  statement = await world.start();
  calls = callsOf(statement);
  ana = world.know(userOf());
});

afterEach(async () => {
  await statement.stop();
  await database.drop();
});

/** An export in this state, without its last chunk; the file as it was, and its stored length. */
async function leaveUnfinished(status: 'running' | 'queued') {
  await world.fill(ana.userId, 6_000);
  const { id } = await calls.made(ana);
  await calls.ended(id, ana);
  const file = await calls.download(id, ana);
  const [last] = await database.query<{ byte_offset: string }>(
    `DELETE FROM export_chunks WHERE n = (SELECT max(n) FROM export_chunks) RETURNING byte_offset`,
  );
  await database.query(
    `UPDATE exports SET status = $1, due_at = clock_timestamp() + interval '1 minute',
       byte_count = NULL, sha256 = NULL, finished_at = NULL, expires_at = NULL`,
    [status],
  );
  return { id, file, stored: Number(last?.byte_offset) };
}

it('an export that is being written gives what is stored of it where that is enough', async () => {
  const { id, file, stored } = await leaveUnfinished('running');
  expect(stored).toBeGreaterThan(240 * 1024);
  expect(await calls.download(id, ana, 0n, true)).toEqual(file.subarray(0, stored));
  for (const offset of [1, 240 * 1024, stored - 1, stored, stored + 1, file.length + 1_000_000]) {
    const rest = await calls.download(id, ana, BigInt(offset), true);
    expect(rest.equals(file.subarray(Math.min(offset, stored), stored))).toBe(true);
  }
  const whole = { exportId: id, offset: 0n };
  expect(reasonOf(await calls.call('downloadExport', whole, ana))).toBe('EXPORT_NOT_READY');
});

it('staff’s fetches of what is stored are recorded once, and the whole file each time', async () => {
  const staff = world.know(userOf('operator'));
  const { id } = await leaveUnfinished('running');
  for (const offset of [0n, 1_000n, 2_000n]) await calls.download(id, staff, offset, true);
  const count = async () => {
    const text = `SELECT 1 FROM audit_log WHERE actor = $1 AND action = 'export.download'`;
    return (await database.query(text, [staff.userId])).length;
  };
  expect(await count()).toBe(1);
  await database.query(`UPDATE exports SET status = 'done', byte_count = 0`);
  const none = { exportId: id, offset: 0n, unfinished: true };
  for (let n = 0; n < 2; n += 1) await calls.call('downloadExport', none, staff);
  expect(await count()).toBe(3);
});

it('an export that waits for its turn gives nothing, and a stranger gets nothing', async () => {
  const { id } = await leaveUnfinished('queued');
  const request = { exportId: id, offset: 0n, unfinished: true };
  expect(reasonOf(await calls.call('downloadExport', request, ana))).toBe('EXPORT_NOT_READY');
  await database.query(`UPDATE exports SET status = 'running'`);
  const stranger = world.know(userOf());
  expect(reasonOf(await calls.call('downloadExport', request, stranger))).toBe('EXPORT_NOT_FOUND');
  const negative = { ...request, offset: -1n };
  expect(reasonOf(await calls.call('downloadExport', negative, ana))).toBe('INVALID_ARGUMENT');
});
