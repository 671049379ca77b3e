import { afterAll, beforeAll, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../tests/support/database.ts';
import { createDeadLetters } from './dead-letters.ts';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
});

afterAll(() => test.drop());

it.each(['a\0b', 'x'.repeat(70_000)])(
  'a reason that no letter can have finds none',
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
