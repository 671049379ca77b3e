import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { checkLedger } from '../support/check.ts';
import { fund } from '../support/generator.ts';
import { startProduct, type Product } from '../support/product.ts';
import { perTransaction, readCpuMicros } from '../support/cpu.ts';
import { summarize, type Measure, type Pair } from '../support/rounds.ts';
import { evaluate, type Bench, type Row } from '../support/row.ts';
import type { BenchServer } from '../support/server.ts';
import { runTool } from '../support/tools.ts';
import { measureStream } from './stream.ts';

const wallets = 10_000;
const rowsPerCommit = 1_000;
const table = 'copied';

/**
 * The stream beside COPY of the very rows that it has just left, into a table with the same
 * indexes.
 */
export const limitRow: Row = {
  id: 'limit',
  run: async (bench) => {
    const product = await startProduct(bench.server, 'limit', { users: wallets });
    const database = product.databases.nameOf('wallet');
    try {
      await fund(product, wallets);
      await bench.server.query(database, `CREATE TABLE ${table} (LIKE transactions INCLUDING ALL)`);
      const pairs: Pair[] = [];
      let expected = BigInt(wallets);
      for (let round = 0; round < bench.rounds; round += 1) {
        const before = await readClock(bench.server, database);
        const job = { prefix: `limit ${round}`, wallets };
        const { measure, done } = await measureStream(bench, product, job);
        expected += BigInt(done);
        await checkLedger(bench.server, product, expected);
        const copied = await measureCopy(bench, product, before, done);
        pairs.push({ product: measure, baseline: copied });
      }
      const measured = summarize(pairs);
      const what = `one stream beside COPY, ${rowsPerCommit} rows per commit`;
      return [evaluate({ id: 'limit', what, unit: 'transactions/s' }, measured, { atLeast: 0.45 })];
    } finally {
      await product.stop();
    }
  },
};

async function readClock(server: BenchServer, database: string): Promise<string> {
  const [row] = await server.query<{ now: string }>(
    database,
    'SELECT clock_timestamp()::text AS now',
  );
  return row?.now ?? '';
}

/** Rows a second that psql copies in, in the order in which the product wrote them. */
async function measureCopy(
  { server }: Bench,
  product: Product,
  since: string,
  count: number,
): Promise<Measure> {
  const database = product.databases.nameOf('wallet');
  const order = `SELECT * FROM transactions WHERE occurred_at >= '${since}' ORDER BY ctid`;
  const text = await runTool(server, 'psql', [
    '-X',
    '-q',
    '-d',
    database,
    '-c',
    `COPY (${order}) TO STDOUT`,
  ]);
  const lines = text.trimEnd().split('\n');
  if (lines.length !== count) throw new Error(`${lines.length} rows to copy instead of ${count}`);
  const script: string[] = [];
  for (let start = 0; start < lines.length; start += rowsPerCommit) {
    const part = lines.slice(start, start + rowsPerCommit).join('\n');
    script.push(`COPY ${table} FROM STDIN;\n${part}\n\\.\n`);
  }
  const file = join(server.folder, 'copy.sql');
  await writeFile(file, script.join(''));
  const countSql = `SELECT count(*) AS n FROM ${table}`;
  const [before] = await server.query<{ n: bigint }>(database, countSql);
  await server.query(database, 'CHECKPOINT');
  const cpuBefore = await readCpuMicros([server.pid]);
  const startedAt = performance.now();
  await runTool(server, 'psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', database, '-f', file]);
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpuMicros = perTransaction(cpuBefore, await readCpuMicros([server.pid]), count);
  const [after] = await server.query<{ n: bigint }>(database, countSql);
  const copied = Number((after?.n ?? 0n) - (before?.n ?? 0n));
  if (copied !== count) throw new Error(`${copied} rows were copied instead of ${count}`);
  return { value: count / seconds, cpuMicros };
}
