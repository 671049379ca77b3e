import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { callAs } from '../../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createDb, readClock } from '../db/db.ts';
import { storeLetters, createDeadLetters } from './dead-letters.ts';
import { createLog } from '../log.ts';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
});

afterAll(() => test.drop());

it.each(['a\0b', 'x'.repeat(70_000)])(
  'no dead letter is found for a reason that none can have: $0',
  async (reason) => {
    const letters = createDeadLetters({
      db: test.db,
      plan: () => Promise.reject(new Error('no replay')),
    });
    const query = { pageSize: 10, pageToken: '', state: undefined, reason, ids: [] };
    expect(await letters.list(query)).toEqual({
      ok: true,
      value: { letters: [], nextPageToken: '' },
    });
  },
);

it('many replays at once do not wait for one another’s connections', async () => {
  const options = { name: 'few', maxConnections: 3, log: createLog('silent') };
  const db = createDb({ url: test.url, ...options });
  try {
    const letters = createDeadLetters({
      db,
      // An effect in a transaction of its own, as each service has it.
      plan: (replays) =>
        Promise.resolve({
          ok: true,
          value: {
            effectIds: replays.map(() => undefined),
            run: async () => {
              await db.tx(readClock);
              return replays.map(() => ({
                ...{ kind: 'done', result: 'ok', details: {}, isRecorded: true },
              })) as never;
            },
          },
        }),
    });
    const ids = Array.from({ length: 10 }, () => randomUUID());
    const fields = { queue: 'q', messageId: undefined, reason: 'R', field: undefined, text: '{}' };
    await storeLetters(
      db,
      ids.map((id) => ({ id, ...fields })),
    );
    const operator = callAs(randomUUID(), 'operator');
    const outcomes = await Promise.all(
      ids.map((id) => {
        const request = { ids: [id], body: undefined, messageId: undefined, isDryRun: false };
        return letters.replay(request, operator);
      }),
    );
    expect(outcomes.map(({ ok }) => ok)).toEqual(ids.map(() => true));
  } finally {
    await db.close();
  }
});
