import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { fund, generate, readCost } from '../support/generator.ts';
import { startProduct, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, type Bench, type Row } from '../support/row.ts';

/** One stream over so many wallets, in transactions a second. */
export async function measureStream(
  bench: Bench,
  product: Product,
  job: { readonly prefix: string; readonly wallets: number },
): Promise<{ readonly rate: number; readonly done: number; readonly measure: Measure }> {
  const { server, seconds } = bench;
  await waitUntilDrained(server, product);
  const load = await generate(product, { kind: 'stream', seconds, ...job });
  const rate = load.done / load.seconds;
  bench.note(
    `${job.prefix}: ${Math.round(rate)}/s; of one core the generator had ` +
      `${percent(load.cpuShare)}, the daemon ${percent(load.daemonShare)}`,
  );
  await waitUntilEmpty(server, product);
  const cpuMicros = await readCost(product, load);
  return { rate, done: load.done, measure: { value: rate, cpuMicros } };
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

const createStreamRow = (id: string, wallets: number, atLeast: number): Row => ({
  id,
  run: async (bench) => {
    const product = await startProduct(bench.server, id, { users: wallets });
    try {
      await fund(product, wallets);
      const pgbench = await bench.pgbench();
      let expected = BigInt(wallets);
      const measured = await runRounds(
        bench.rounds,
        () => pgbench.measure(bench.seconds),
        async (round) => {
          const job = { prefix: `${id} ${round}`, wallets };
          const { measure, done } = await measureStream(bench, product, job);
          expected += BigInt(done);
          await checkLedger(bench.server, product, expected);
          return measure;
        },
      );
      const what = `one stream, ${wallets.toLocaleString('en')} wallet${wallets > 1 ? 's' : ''}`;
      return [evaluate({ id, what, unit: 'transactions/s' }, measured, { atLeast })];
    } finally {
      await product.stop();
    }
  },
});

export const streamRow = createStreamRow('stream', 10_000, 10);
export const hotRow = createStreamRow('hot', 1, 15);
