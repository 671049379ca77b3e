import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { runWallet, type Environment } from '../../scripts/product.ts';
import { watchPeak } from '../../tests/support/processes/memory.ts';
import { fill } from '../support/fill.ts';
import { watchClient } from '../support/generator.ts';
import { startProduct, userIdOf, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, evaluateGrowth, toMiB, type Row } from '../support/row.ts';

const allRows = 100_000;
const quickRows = 2_000;
const smallRows = 1_000;
const days = 90;

type Run = { readonly measure: Measure; readonly peak: number };

/** A long list as a table, beside the same as CSV: both from the start of the process to its end. */
export const tableRow: Row = {
  id: 'table',
  run: async (bench) => {
    const count = bench.isQuick ? quickRows : allRows;
    const product = await startProduct(bench.server, 'table', { users: 2 });
    try {
      await fill(bench.server, product, {
        wallets: 2,
        entriesOf: (n) => (n === 0 ? count : smallRows),
        daysOf: () => days,
      });
      const home = join(bench.server.folder, 'table');
      await mkdir(home);
      const env = {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        WALLET_SERVER: product.address,
        WALLET_TOKEN: await product.signIn(),
      };
      const small = await list(product, env, 1, smallRows, 'table');
      const runs: Run[] = [];
      const measured = await runRounds(
        bench.rounds,
        async () => (await list(product, env, 0, count, 'csv')).measure,
        async (round) => {
          const run = await list(product, env, 0, count, 'table');
          runs.push(run);
          const growth = toMiB(run.peak - small.peak);
          const { value } = run.measure;
          bench.note(`table ${round}: ${value.toFixed(2)} s, memory +${growth} MiB`);
          return run.measure;
        },
      );
      const rowText = (rows: number): string => `${rows.toLocaleString('en')} rows`;
      const what = `wallet transactions list --all of ${rowText(count)} as a table`;
      return [
        evaluate({ id: 'table', what, unit: 's' }, measured, { atMost: 3 }),
        evaluateGrowth(
          {
            id: 'table-memory',
            what: `its peak, above that of ${rowText(smallRows)}`,
            busyPercent: measured.busyPercent,
          },
          runs.map(({ peak }) => peak - small.peak),
        ),
      ];
    } finally {
      await product.stop();
    }
  },
};

/** Throws unless each row is there, behind one line of header. */
async function list(
  product: Product,
  env: Environment,
  user: number,
  rows: number,
  output: 'table' | 'csv',
): Promise<Run> {
  const args = ['transactions', 'list', '--user', userIdOf(user), '--currency', 'BRL', '--all'];
  let peakOf = (): number => 0;
  const readCosts = await watchClient(product, rows);
  const done = await runWallet([...args, '-o', output], {
    env,
    onStart: (pid) => (peakOf = watchPeak(pid)),
  });
  const measure = await readCosts();
  const peak = peakOf();
  const lines = done.stdout.trimEnd().split('\n').length;
  if (done.code !== 0 || lines !== rows + 1) {
    throw new Error(`${output}: ${lines} lines, exit ${String(done.code)}: ${done.stderr}`);
  }
  return { measure, peak };
}
