import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { refuse } from '../../../core/reasons.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createAuditTrail, type AuditActor } from './audit.ts';
import { createLog } from '../log.ts';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
});

afterAll(async () => {
  await test.drop();
});

const actorOf = (userId: string): AuditActor => ({
  principal: { kind: 'user', userId, role: 'operator', sessionId: 's', apiKey: undefined },
  requestId: 'r',
});

describe('text that Postgres refuses', () => {
  it('audit events with text that Postgres refuses are stored with U+FFFD instead', async () => {
    const trail = createAuditTrail({ db: test.db, log: createLog('silent') });
    const actor = randomUUID();
    const line = { action: 'read', target: 'plain', result: 'ok' };
    const details = { field: 'a\0b', half: '\ud800' };
    const { rejection } = refuse('EXPORT_NOT_FOUND', 'no export', { exportId: 'x\0y' });
    trail.recordDenial(actorOf(actor), 'getExport', rejection);
    const reported = { ...rejection, denied: { target: '\udfff', details } };
    trail.recordDenial(actorOf(actor), 'listUsers', reported);
    await trail.record(actorOf(actor), line);
    const text = 'SELECT target, details FROM audit_log WHERE actor = $1 ORDER BY target';
    const rows = await test.query<{ target: string; details: object }>(text, [actor]);
    expect(rows).toHaveLength(3);
    expect(rows.map(({ target }) => target)).toEqual(
      expect.arrayContaining(['plain', 'x\ufffdy', '\ufffd']),
    );
    expect(rows.map((row) => row.details)).toContainEqual({ field: 'a\ufffdb', half: '\ufffd' });
  });
});
