import { expect, it } from 'vitest';

import { succeed, type Result } from '../../../../core/reasons.ts';
import { startPostgres } from '../../../../tests/support/postgres/server.ts';
import type { Access } from '../../access/access.ts';
import { createDb, sql } from '../../db/db.ts';
import { createLog } from '../../log.ts';
import { createAdmission, type MethodPolicy } from './admission.ts';
import { loadLimits } from './load-limits.ts';
import type { Incoming } from './incoming.ts';

const entry: MethodPolicy = {
  ...{ policy: 'public', isStream: false, isOneRequest: true, limit: undefined },
  onDenied: () => undefined,
};

const incoming = (deadlineMs: number): Incoming =>
  ({
    ...{ requestId: 'r', authorization: undefined, peerAddress: '127.0.0.1', forwardedFor: [] },
    ...{ origin: 'local', deadlineMs, isCancelled: () => false },
  }) as unknown as Incoming;

const admit = () =>
  createAdmission({
    access: { isService: () => false } as unknown as Access,
    proxies: { has: () => false },
    limits: loadLimits,
    onForwarded: () => undefined,
  });

const insertSql = sql('test_insert', 'INSERT INTO times VALUES (1)');

it('a call whose COMMIT hangs on a frozen standby gets DEADLINE_EXCEEDED', async () => {
  const primary = await startPostgres();
  const standby = await primary.startStandby();
  try {
    await primary.query('CREATE TABLE times (n int)');
    await primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await primary.query('SELECT pg_reload_conf()');
    standby.freeze();
    const log = createLog('silent');
    const db = createDb({ url: primary.url(), name: 'test', maxConnections: 1, log });
    let isOver = false;
    const work = async (): Promise<Result<undefined>> => {
      await db.tx((tx) => tx.execute(insertSql)).catch(() => undefined);
      isOver = true;
      return succeed(undefined);
    };
    const answer = await admit().run(incoming(performance.now() + 1_000), entry, work);
    expect(answer).toMatchObject({ ok: false, rejection: { reason: 'DEADLINE_EXCEEDED' } });
    expect(isOver).toBe(false);
    standby.thaw();
    await db.close();
  } finally {
    await standby.stop();
    await primary.stop();
  }
});
