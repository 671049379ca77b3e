import { checkLedger } from '../support/check.ts';
import { fill } from '../support/fill.ts';
import { fund } from '../support/generator.ts';
import { startProduct } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Row } from '../support/row.ts';
import { measureStream } from './stream.ts';

const smallWallets = 10_000;
const entriesPerWallet = 5;

/** The stream over a million wallets with five million entries, beside the stream over 10,000. */
export const largeRow: Row = {
  id: 'large',
  run: async (bench) => {
    const { server } = bench;
    const wallets = bench.isQuick ? 20_000 : 1_000_000;
    const small = await startProduct(server, 'large-base', { users: smallWallets });
    const large = await startProduct(server, 'large', { users: wallets });
    try {
      await fund(small, smallWallets);
      const filled = await fill(server, large, {
        wallets,
        entriesOf: () => entriesPerWallet,
        daysOf: () => 10,
      });
      bench.note(`large: ${filled.toLocaleString('en')} entries are there`);
      const expected = { small: BigInt(smallWallets), large: BigInt(filled) };
      const measured = await runRounds(
        bench.rounds,
        async (round) => {
          const job = { prefix: `base ${round}`, wallets: smallWallets };
          const { measure, done } = await measureStream(bench, small, job);
          expected.small += BigInt(done);
          await checkLedger(server, small, expected.small);
          return measure;
        },
        async (round) => {
          const { measure, done } = await measureStream(bench, large, {
            prefix: `large ${round}`,
            wallets,
          });
          expected.large += BigInt(done);
          await checkLedger(server, large, expected.large);
          return measure;
        },
      );
      const what = `one stream, ${wallets.toLocaleString('en')} wallets, beside 10,000`;
      return [evaluate({ id: 'large', what, unit: 'transactions/s' }, measured, { atLeast: 0.75 })];
    } finally {
      await small.stop();
      await large.stop();
    }
  },
};
