import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../tests/support/database.ts';
import { byteArray, plainArray, textArray, timeArray } from './array-literals.ts';
import { sql } from './db.ts';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
});
afterAll(() => test.drop());

const rowsSql = sql(
  'test_arrays',
  `SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::uuid[], $5::timestamptz[])
     AS t(number, text, bytes, id, time)`,
);

const text = fc
  .string({ unit: 'grapheme' })
  .map((value) => value.replaceAll('\0', '').replace(/\p{Surrogate}/gu, ''));
const row = fc.record({
  number: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  text: fc.option(fc.oneof(text, fc.constantFrom('NULL', '', ' ', '{}', ',', '\\', '"', '\\"\n')), {
    nil: undefined,
  }),
  bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  id: fc.option(fc.uuid(), { nil: undefined }),
  time: fc.oneof(fc.constant(1_795_000_000_000), fc.integer({ min: 0, max: 4_000_000_000_000 })),
});

it('Postgres reads back what was written, whatever it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (rows) => {
      const values = [
        plainArray(rows, (r) => r.number),
        textArray(rows, (r) => r.text),
        byteArray(rows, (r) => r.bytes),
        plainArray(rows, (r) => r.id),
        timeArray(rows, (r) => r.time),
      ];
      const back = await test.db.read((tx) => tx.query<object>(rowsSql, values));
      expect(back).toEqual(rows.map((r) => ({ ...r, text: r.text ?? null, id: r.id ?? null })));
    }),
    { numRuns: 200 },
  );
});
