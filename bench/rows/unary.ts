import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { fund, generate, readCost } from '../support/generator.ts';
import { startProduct } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Row } from '../support/row.ts';
import { percent } from './stream.ts';

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
          await waitUntilDrained(server, product);
          const prefix = `${id} ${round}`;
          const load = await generate(product, { kind, prefix, wallets, seconds });
          const rate = load.done / load.seconds;
          bench.note(
            `${prefix}: ${Math.round(rate)}/s; of one core the generator had ` +
              `${percent(load.cpuShare)}, the daemon ${percent(load.daemonShare)}`,
          );
          await waitUntilEmpty(server, product);
          const cpuMicros = await readCost(product, load);
          expected += BigInt(load.done);
          await checkLedger(server, product, expected);
          return { value: rate, cpuMicros };
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
