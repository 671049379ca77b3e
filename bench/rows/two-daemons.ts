import { checkLedger } from '../support/check.ts';
import { fund, measureLoad } from '../support/generator.ts';
import type { Job } from '../support/jobs.ts';
import { startProduct, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, type Bench, type Row } from '../support/row.ts';

const wallets = 10_000;
const unit = 'µs a transaction';

type Side = { readonly product: Product; entries: bigint };

/**
 * Two daemons on the same databases with a stream each, over the same wallets: what a transaction
 * costs, beside one daemon with one stream on databases of its own.
 */
export const twoDaemonsRow: Row = {
  id: 'two-daemons',
  run: async (bench) => {
    const products: Product[] = [];
    const start = async (name: string, daemons: number): Promise<Side> => {
      const product = await startProduct(bench.server, name, { users: wallets, daemons });
      products.push(product);
      await fund(product, wallets);
      return { product, entries: BigInt(wallets) };
    };
    try {
      const one = await start('two-daemons-base', 1);
      const two = await start('two-daemons', 2);
      const measured = await runRounds(
        bench.rounds,
        (round) => measureCost(bench, one, 'stream', `one daemon ${round}`),
        (round) => measureCost(bench, two, 'streams', `two daemons ${round}`),
      );
      const what = 'two daemons on the same wallets, a stream each, beside one';
      return [evaluate({ id: 'two-daemons', what, unit }, measured, { atMost: 1.5 })];
    } finally {
      for (const product of products) await product.stop();
    }
  },
};

/** The value is the processor time of a transaction; the rate is in the note of the load. */
async function measureCost(
  bench: Bench,
  side: Side,
  kind: Job['kind'],
  prefix: string,
): Promise<Measure> {
  const job = { kind, prefix, wallets };
  // Calls that meet the other daemon's for too long are refused with nothing done.
  const options = { mayBeRefused: 'WALLET_BUSY' };
  const { measure, done } = await measureLoad(bench, side.product, job, options);
  side.entries += BigInt(done);
  await checkLedger(bench.server, side.product, side.entries);
  const value = measure.cpuMicros ?? NaN;
  bench.note(`${prefix}: ${value.toFixed(1)} ${unit}`);
  return { ...measure, value };
}
