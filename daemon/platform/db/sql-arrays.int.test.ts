import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { sql } from './db.ts';
import {
  toHashArray,
  toInt2Array,
  toInt8Array,
  toJsonArray,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from './sql-arrays.ts';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
});
afterAll(() => test.drop());

const echoSql = sql(
  'test_echo',
  `SELECT u::text AS uuid, i8 AS int8, i2 AS int2, txt AS text, j::text AS json, at, h::bytea AS hash
   FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::json[], $6::timestamptz[],
     $7::bytea[]) WITH ORDINALITY AS x(u, i8, i2, txt, j, at, h, n) ORDER BY n`,
);

/** Text that Postgres can store, with repetitions and with what takes two to four bytes. */
const text = fc.oneof(
  fc.constantFrom('', 'external:cash', 'external:cash', '"\\{},NULL', 'é', '€uro', '😀'),
  fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0') && value.isWellFormed()),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const row = fc.record({
  uuid: maybe(fc.uuid()),
  int8: maybe(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  int2: maybe(fc.integer({ min: -32_768, max: 32_767 })),
  text: maybe(text),
  json: maybe(text.map((value) => JSON.stringify({ value }))),
  at: maybe(
    fc
      .date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
      .map((date) => date.getTime()),
  ),
  hash: maybe(fc.uint8Array({ minLength: 32, maxLength: 32 })),
});

it('values of every type that are written as an array are read back unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (rows) => {
      type Row = Record<keyof (typeof rows)[number], unknown>;
      const found = await test.db.read((tx) =>
        tx.query<Row>(echoSql, [
          toUuidArray(rows, (r) => r.uuid),
          toInt8Array(rows, (r) => r.int8),
          toInt2Array(rows, (r) => r.int2),
          toTextArray(rows, (r) => r.text),
          toJsonArray(rows, (r) => r.json),
          toTimeArray(rows, (r) => r.at),
          toHashArray(rows, (r) => r.hash && Buffer.from(r.hash).toString('hex')),
        ]),
      );
      const expected = rows.map((r) => ({
        ...Object.fromEntries(Object.entries(r).map(([name, value]) => [name, value ?? null])),
        hash: r.hash ? Buffer.from(r.hash) : null,
      }));
      expect(found.map((r) => ({ ...r }))).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});
