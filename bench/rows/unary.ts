import { checkLedger } from '../support/check.ts';
import { fund, measureLoad } from '../support/generator.ts';
import { startProduct } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Bound, type Row } from '../support/row.ts';

const wallets = 10_000;

type Shape = {
  readonly id: string;
  readonly what: string;
  readonly kind: 'unary' | 'batch';
  readonly inFlight: number;
};

const createUnaryRow = ({ id, what, kind, inFlight }: Shape, bound: Bound): Row => ({
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
          const job = { kind, prefix: `${id} ${round}`, wallets, inFlight } as const;
          const { measure, done } = await measureLoad(bench, product, job);
          expected += BigInt(done);
          await checkLedger(server, product, expected);
          return measure;
        },
      );
      return [evaluate({ id, what, unit: 'transactions/s' }, measured, bound)];
    } finally {
      await product.stop();
    }
  },
});

/** CreateTransaction, 64 calls in flight. */
export const unaryRow = createUnaryRow(
  { id: 'unary', what: 'CreateTransaction, 64 in flight', kind: 'unary', inFlight: 64 },
  { atLeast: 2.2, micros: 130 },
);

/** The same, 256 calls in flight. */
export const manyUnaryRow = createUnaryRow(
  { id: 'unary-256', what: 'the same, 256 in flight', kind: 'unary', inFlight: 256 },
  { atLeast: 3 },
);

const batchOf = 'BatchCreateTransactions, 20 items a call, 64 in flight';

/** BatchCreateTransactions, 20 items a call, 64 calls in flight. */
export const batchUnaryRow = createUnaryRow(
  { id: 'batch-unary', what: batchOf, kind: 'batch', inFlight: 64 },
  { atLeast: 6 },
);
