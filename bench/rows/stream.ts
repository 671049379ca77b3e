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

type Streamed = { readonly kind: 'stream' | 'transfers'; readonly wallets: number };

const createStreamRow = (id: string, { kind, wallets }: Streamed, bound: Bound): Row => ({
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
          const job = { kind, prefix: `${id} ${round}`, wallets };
          const { measure, done } = await measureLoad(bench, product, job);
          // A transfer has an entry on each side.
          expected += BigInt(kind === 'transfers' ? 2 * done : done);
          await checkLedger(bench.server, product, expected);
          return measure;
        },
      );
      const of = kind === 'transfers' ? 'one stream of transfers' : 'one stream';
      const what = `${of}, ${wallets.toLocaleString('en')} wallet${wallets > 1 ? 's' : ''}`;
      return [evaluate({ id, what, unit: 'transactions/s' }, measured, bound)];
    } finally {
      await product.stop();
    }
  },
});

const many = { kind: 'stream', wallets: 10_000 } as const;
export const streamRow = createStreamRow('stream', many, {
  ...{ atLeast: 8.5, micros: 43, busyPercent: 92 },
});
const one = { ...many, wallets: 1 };
export const hotRow = createStreamRow('hot', one, { atLeast: 12, micros: 27, busyPercent: 90 });
const transfers = { ...many, kind: 'transfers' } as const;
export const transferRow = createStreamRow('transfer', transfers, { atLeast: 3.5 });
