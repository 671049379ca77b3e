import { checkLedger } from '../support/check.ts';
import { fund, measureLoad } from '../support/generator.ts';
import { startProduct, type Product } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Bench, type Bound, type Row } from '../support/row.ts';

/** One stream over so many wallets, in transactions a second. */
export const measureStream = (
  bench: Bench,
  product: Product,
  job: { readonly prefix: string; readonly wallets: number },
): ReturnType<typeof measureLoad> => measureLoad(bench, product, { kind: 'stream', ...job });

const createStreamRow = (id: string, wallets: number, bound: Bound): Row => ({
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
      return [evaluate({ id, what, unit: 'transactions/s' }, measured, bound)];
    } finally {
      await product.stop();
    }
  },
});

export const streamRow = createStreamRow('stream', 10_000, {
  ...{ atLeast: 8.5, micros: 43, busyPercent: 92 },
});
export const hotRow = createStreamRow('hot', 1, { atLeast: 12, micros: 27, busyPercent: 90 });
