import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { runWallet, type Environment } from '../../scripts/product.ts';
import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { perTransaction, readEndedCpuMicros, watchBusy } from '../support/cpu.ts';
import { fund, percent } from '../support/generator.ts';
import { emailOf, startProduct, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, type Bench, type Row } from '../support/row.ts';
import { measureStream } from './stream.ts';

const users = 10_000;
const allRows = 100_000;
const quickRows = 2_000;

/** A file through the command line, from the start of the process to its end, beside `stream`. */
export const batchRow: Row = {
  id: 'batch',
  run: async (bench) => {
    const count = bench.isQuick ? quickRows : allRows;
    const product = await startProduct(bench.server, 'batch', { users });
    try {
      await fund(product, users);
      const home = join(bench.server.folder, 'batch');
      await mkdir(home);
      let expected = BigInt(users);
      const check = (done: number) => {
        expected += BigInt(done);
        return checkLedger(bench.server, product, expected);
      };
      const measured = await runRounds(
        bench.rounds,
        async (round) => {
          const job = { prefix: `batch-base ${round}`, wallets: users };
          const { measure, done } = await measureStream(bench, product, job);
          await check(done);
          return measure;
        },
        async (round) => {
          const file = join(home, `${round}.csv`);
          await writeBatch(file, count);
          const rate = await measureBatch(bench, product, { file, count, home });
          await check(count);
          return rate;
        },
      );
      const what = `wallet batch run of ${count.toLocaleString('en')} rows`;
      return [evaluate({ id: 'batch', what, unit: 'transactions/s' }, measured, { atLeast: 0.7 })];
    } finally {
      await product.stop();
    }
  },
};

/** As many deposits as withdrawals, and users by their addresses, which have to be looked up. */
async function writeBatch(file: string, count: number): Promise<void> {
  const out = createWriteStream(file);
  out.write('user,operation,amount,currency\n');
  for (let n = 0; n < count; n += 1) {
    // Neighbours are far apart in the table: 7,919 is a prime.
    const operation = n % 2 === 0 ? 'deposit' : 'withdraw';
    out.write(`${emailOf((n * 7_919) % users)},${operation},1.00,BRL\n`);
  }
  out.end();
  await finished(out);
}

/** Rows a second of the whole process; throws unless each row was done, and done now. */
async function measureBatch(
  { server, note }: Bench,
  product: Product,
  { file, count, home }: { readonly file: string; readonly count: number; readonly home: string },
): Promise<Measure> {
  const env: Environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    WALLET_SERVER: product.address,
    WALLET_TOKEN: await product.signIn(),
  };
  await waitUntilDrained(server, product);
  const before = await product.cpuSeconds();
  const cpuBefore = await product.systemCpuMicros();
  const ownBefore = await readEndedCpuMicros();
  const readBusy = await watchBusy();
  const startedAt = performance.now();
  const args = ['batch', 'run', file, '--batch-id', file, '--yes', '--json'];
  const { code, stdout, stderr } = await runWallet(args, { env });
  const seconds = (performance.now() - startedAt) / 1_000;
  const busyPercent = await readBusy();
  const ownMicros = ((await readEndedCpuMicros()) - ownBefore) / count;
  const daemonShare = ((await product.cpuSeconds()) - before) / seconds;
  if (code !== 0) throw new Error(`wallet batch run ended with ${String(code)}: ${stderr}`);
  const { done } = JSON.parse(stdout) as { done: number };
  if (done !== count) throw new Error(`${done} of ${count} rows are done`);
  const rate = count / seconds;
  note(
    `batch: ${Math.round(rate)}/s; of one core the daemon had ${percent(daemonShare)}; ` +
      `the command line’s own time was ${ownMicros.toFixed(1)} µs a row`,
  );
  await waitUntilEmpty(server, product);
  const cpuMicros = perTransaction(cpuBefore, await product.systemCpuMicros(), count);
  return { value: rate, cpuMicros, busyPercent };
}
