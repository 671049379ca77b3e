import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createLog } from '../../platform/log.ts';
import { toDivergence } from './lines.ts';
import { createRecorder, type Recorder } from './record.ts';

let test: TestDatabase;
let recorder: Recorder;

beforeEach(async () => {
  test = await createTestDatabase('statement');
  recorder = createRecorder(test.db, createLog('silent'));
});
afterEach(() => test.drop());

const walletId = '5b1d8a52-0c8d-4f2b-8a55-0d7d3c0a0001';
const found = (seq: bigint) =>
  toDivergence('own_hash', { walletId, seq, hash: 'ab'.repeat(32) }, undefined);
const rows = () =>
  test.query<{ seq: number; by: string | null; is_open: boolean; is_recent: boolean }>(
    `SELECT seq::int AS seq, resolved_by AS by, resolved_at IS NULL AS is_open,
       found_at > clock_timestamp() - interval '1 hour' AS is_recent
     FROM divergences ORDER BY seq`,
  );
/** As a rebuild a day ago has left them. */
const resolve = () =>
  test.query(`UPDATE divergences SET resolved_by = 'host',
    found_at = found_at - interval '1 day', resolved_at = clock_timestamp() - interval '1 day'`);

const open = { by: null, is_open: true, is_recent: true };

describe('resolved divergences', () => {
  it('a resolved divergence that is found again is opened again, and counted again', async () => {
    await recorder.record([found(7n), found(8n)]);
    await resolve();
    await recorder.record([found(7n)]);
    expect(await rows()).toEqual([
      { seq: 7, ...open },
      { seq: 8, by: 'host', is_open: false, is_recent: false },
    ]);
    expect(recorder.count()).toBe(3);
    await recorder.record([found(7n)]);
    expect(recorder.count()).toBe(3);
  });

  it('a resolved divergence is not opened by a report within seconds of its repair', async () => {
    const report = () =>
      recorder.report(walletId, { kind: 'own_hash', seq: 7n, hash: 'ab'.repeat(32), text: '' });
    await report();
    await test.query(
      `UPDATE divergences SET resolved_at = clock_timestamp(), resolved_by = 'host'`,
    );
    await report();
    expect(await rows()).toMatchObject([{ seq: 7, is_open: false }]);
    expect(recorder.count()).toBe(1);
    // The second by a clock that was ahead.
    for (const [i, shift] of ["- interval '6 s'", "+ interval '1 day'"].entries()) {
      await test.query(`UPDATE divergences SET resolved_at = clock_timestamp() ${shift}`);
      await report();
      expect(await rows()).toEqual([{ seq: 7, ...open }]);
      expect(recorder.count()).toBe(i + 2);
    }
  });

  it('a divergence that is several times in one batch is opened and counted once', async () => {
    await recorder.record([found(7n), found(7n)]);
    expect(recorder.count()).toBe(1);
    await resolve();
    await recorder.record([found(7n), found(8n), found(7n)]);
    expect(recorder.count()).toBe(3);
    expect(await rows()).toEqual([
      { seq: 7, ...open },
      { seq: 8, ...open },
    ]);
  });
});
