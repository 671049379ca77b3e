import { checkLedger } from '../support/check.ts';
import { fund, measureLoad } from '../support/generator.ts';
import { startProduct } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Row } from '../support/row.ts';

const wallets = 10_000;

const createUnaryRow = (
  kind: 'unary' | 'batch',
  id: string,
  what: string,
  atLeast: number,
): Row => ({
  id,
  run: async (bench) => {
    const { server, seconds } = bench;
    const product = await startProduct(server, id, { users: wallets });
    try {
      await fund(product, wallets);
      const pgbench = await bench.pgbench();
      let expected = BigInt(wallets);
      const measured = await runRounds(
        bench.rounds,
        () => pgbench.measure(seconds),
        async (round) => {
          const job = { kind, prefix: `${id} ${round}`, wallets } as const;
          const { measure, done } = await measureLoad(bench, product, job);
          expected += BigInt(done);
          await checkLedger(server, product, expected);
          return measure;
        },
      );
      return [evaluate({ id, what, unit: 'transactions/s' }, measured, { atLeast })];
    } finally {
      await product.stop();
    }
  },
});

/** CreateTransaction, 64 calls in flight. */
export const unaryRow = createUnaryRow('unary', 'unary', 'CreateTransaction, 64 in flight', 3);

/** BatchCreateTransactions, 20 items a call, 64 calls in flight. */
export const batchUnaryRow = createUnaryRow(
  'batch',
  'batch-unary',
  'BatchCreateTransactions, 20 items a call, 64 in flight',
  6,
);
