import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { sql } from './db.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('statement');
});
afterAll(() => database.drop());

const one = sql('copy_test_one', 'SELECT 1 AS one');

describe('COPY', () => {
  it('COPY returns every row in order, and leaves the connection to the driver', async () => {
    const texts: string[] = [];
    await database.db.tx(async (tx) => {
      expect(await tx.query(one)).toEqual([{ one: 1 }]);
      const rows = "SELECT n, repeat('x', n % 3000) FROM generate_series(1, 20000) AS n ORDER BY n";
      await tx.copyOut(`COPY (${rows}) TO STDOUT`, (bytes, start, end) => {
        texts.push(bytes.toString('latin1', start, end));
      });
      expect(await tx.query(one)).toEqual([{ one: 1 }]);
    });
    expect(texts).toHaveLength(20_000);
    for (const [i, text] of texts.entries()) {
      const n = i + 1;
      if (text !== `${n}\t${'x'.repeat(n % 3_000)}\n`) throw new Error(`row ${n} is not itself`);
    }
  });

  it('COPY of no rows ends without a row', async () => {
    await database.db.read((tx) =>
      tx.copyOut('COPY (SELECT 1 WHERE false) TO STDOUT', () => {
        throw new Error('there is no row');
      }),
    );
  });

  it('COPY that fails at once or half-way rejects, and the connection stays usable', async () => {
    await database.db.read(async (tx) => {
      const [before] = await tx.query<{ pid: number }>(
        sql('copy_test_pid', 'SELECT pg_backend_pid() AS pid'),
      );
      await expect(tx.copyOut('COPY (SELECT nothing) TO STDOUT', () => undefined)).rejects.toThrow(
        'nothing',
      );
      let rows = 0;
      const failing = 'SELECT 100000 / (50000 - n) FROM generate_series(1, 60000) AS n';
      const failed = tx.copyOut(`COPY (${failing}) TO STDOUT`, () => {
        rows += 1;
      });
      await expect(failed).rejects.toThrow('division by zero');
      expect(rows).toBeGreaterThan(1_000);
      const refused = tx.copyOut('COPY (SELECT 1) TO STDOUT', () => {
        throw new Error('not this one');
      });
      await expect(refused).rejects.toThrow('not this one');
      const [after] = await tx.query<{ pid: number }>(
        sql('copy_test_pid', 'SELECT pg_backend_pid() AS pid'),
      );
      expect(after).toEqual(before);
    });
  });

  it('COPY rejects if its connection is lost', async () => {
    const copying = database.db.read((tx) =>
      tx.copyOut(
        'COPY (SELECT n, pg_terminate_backend(pg_backend_pid()) FROM generate_series(1, 2) AS n) TO STDOUT',
        () => undefined,
      ),
    );
    await expect(copying).rejects.toThrow();
  });

  it('COPY continues with the rows after a notice', async () => {
    const rows: string[] = [];
    await database.db.read(async (tx) => {
      await tx.execute(sql('copy_test_level', "SET client_min_messages = 'debug1'"));
      // A temporary function that raises a notice for each row.
      await tx.execute(
        sql(
          'copy_test_function',
          `CREATE FUNCTION pg_temp.tell(n int) RETURNS int LANGUAGE plpgsql
           AS $$ BEGIN RAISE NOTICE 'row %', n; RETURN n; END $$`,
        ),
      );
      const query = 'SELECT pg_temp.tell(n) FROM generate_series(1, 1000) AS n';
      await tx.copyOut(`COPY (${query}) TO STDOUT`, (bytes, start, end) => {
        rows.push(bytes.toString('latin1', start, end - 1));
      });
      await tx.execute(sql('copy_test_reset', 'RESET client_min_messages'));
    });
    expect(rows).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i + 1)));
  });
});
