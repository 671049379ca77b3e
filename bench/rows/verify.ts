import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { walletIdOf } from '../../core/ids.ts';
import { runWalletd } from '../../scripts/product.ts';
import { watchPeak } from '../../tests/support/processes/memory.ts';
import { fill } from '../support/fill.ts';
import { watchClient } from '../support/generator.ts';
import { startProduct, userIdOf, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, evaluateGrowth, toMiB, type Bench, type Row } from '../support/row.ts';
import { runTool } from '../support/tools.ts';

const entriesPerWallet = 5;

/** `walletd verify` of ledger and lines, beside psql's \copy of the ledger's rows to a file. */
export const verifyRow: Row = {
  id: 'verify',
  run: async (bench) => {
    const wallets = bench.isQuick ? 4_000 : 1_000_000;
    const product = await startProduct(bench.server, 'verify', { users: 2 });
    try {
      const entries = await fill(bench.server, product, {
        wallets,
        entriesOf: () => entriesPerWallet,
        daysOf: () => 10,
      });
      bench.note(`verify: ${entries.toLocaleString('en')} entries are there`);
      // What one wallet takes is what the program needs anyway.
      const one = await verifyOnce(bench, product, walletIdOf(userIdOf(0), 'BRL'));
      const growths: number[] = [];
      const measured = await runRounds(
        bench.rounds,
        () => copyOnce(bench, product, entries),
        async (round) => {
          const { measure, peak } = await verifyOnce(bench, product, undefined, entries);
          growths.push(peak - one.peak);
          bench.note(
            `verify ${round}: ${measure.value.toFixed(1)} s, +${toMiB(peak - one.peak)} MiB`,
          );
          return measure;
        },
      );
      const what = `walletd verify of ${entries.toLocaleString('en')} rows and their lines`;
      const { busyPercent } = measured;
      return [
        evaluate({ id: 'verify', what, unit: 's' }, measured, { atMost: 3 }),
        evaluateGrowth(
          { id: 'verify-memory', what: 'its peak, above that of one wallet', busyPercent },
          growths,
        ),
      ];
    } finally {
      await product.stop();
    }
  },
};

/** From the start of the command to its end; throws if it finds anything, or misses a row. */
async function verifyOnce(
  { server }: Bench,
  product: Product,
  walletId: string | undefined,
  entries = entriesPerWallet,
): Promise<{ readonly measure: Measure; readonly peak: number }> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: server.folder, ...product.databases.env };
  let peakOf = (): number => 0;
  const readCosts = await watchClient(product, entries);
  const done = await runWalletd(
    ['verify', ...(walletId === undefined ? [] : ['--wallet', walletId])],
    {
      env,
      onStart: (pid) => (peakOf = watchPeak(pid)),
    },
  );
  const measure = await readCosts();
  const peak = peakOf();
  const isWhole = done.stderr.includes(`${entries} transactions of`);
  if (done.code !== 0 || done.stdout !== '' || !isWhole) {
    throw new Error(`verify ended with ${String(done.code)}: ${done.stderr}${done.stdout}`);
  }
  return { measure, peak };
}

async function copyOnce({ server }: Bench, product: Product, entries: number): Promise<Measure> {
  const file = join(server.folder, 'copied.txt');
  await rm(file, { force: true });
  const database = product.databases.nameOf('wallet');
  await server.query(database, 'CHECKPOINT');
  const readCosts = await watchClient(product, entries);
  await runTool(server, 'psql', [
    '-X',
    '-q',
    '-d',
    database,
    '-c',
    `\\copy transactions TO '${file}'`,
  ]);
  const measure = await readCosts();
  await rm(file, { force: true });
  return measure;
}
