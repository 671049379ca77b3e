import { checkLedger, waitUntilDrained } from '../support/check.ts';
import { fund, generate } from '../support/generator.ts';
import type { Job } from '../support/jobs.ts';
import { operatorCount, startProduct, type Product } from '../support/product.ts';
import { median, runRounds } from '../support/rounds.ts';
import { evaluate, type Bench, type Row } from '../support/row.ts';

const wallets = 10_000;
/** Calls at any time, of whose rates the best is the peak. */
const ladder = [64, 256, 512];
const excess = 4;
const maxWaitMs = 1_000;

type State = { readonly tokens: readonly string[]; entries: bigint; peak: number };

/** Four times as many calls as it can do, at a fixed rate: what is done, and what is refused. */
export const overloadRow: Row = {
  id: 'overload',
  run: async (bench) => {
    const product = await startProduct(bench.server, 'overload', { users: wallets });
    try {
      await fund(product, wallets);
      const operators = Array.from({ length: operatorCount }, (_, n) => product.signIn(n));
      const tokens = await Promise.all(operators);
      const state: State = { tokens, entries: BigInt(wallets), peak: 0 };
      const waits: number[] = [];
      await measurePeak(bench, product, state, 'warm-up');
      const measured = await runRounds(
        bench.rounds,
        (round) => measurePeak(bench, product, state, `peak ${round}`),
        async (round) => {
          const { rate, waitMs } = await measureExcess(bench, product, state, round);
          waits.push(waitMs);
          return rate;
        },
      );
      const what = `CreateTransaction, offered at ${excess} x the peak`;
      const waited = { value: median(waits), baseline: maxWaitMs };
      const ratio = waited.value / waited.baseline;
      return [
        evaluate({ id: 'overload', what, unit: 'transactions/s' }, measured, { atLeast: 0.9 }),
        evaluate(
          { id: 'overload-wait', what: 'p99 of what is done meanwhile', unit: 'ms' },
          { ...waited, ratio },
          { atMost: 1 },
        ),
      ];
    } finally {
      await product.stop();
    }
  },
};

async function measurePeak(
  bench: Bench,
  product: Product,
  state: State,
  prefix: string,
): Promise<number> {
  const rates: number[] = [];
  for (const inFlight of ladder) {
    const job = { kind: 'unary', prefix: `${prefix} ${inFlight}`, inFlight } as const;
    const load = await run(bench, product, state, job);
    rates.push(load.done / load.seconds);
  }
  const peak = Math.max(...rates);
  const shown = rates.map((rate, i) => `${ladder[i]} in flight ${Math.round(rate)}/s`);
  bench.note(`${prefix}: ${shown.join(', ')}`);
  state.peak = peak;
  return peak;
}

async function measureExcess(
  bench: Bench,
  product: Product,
  state: State,
  round: number,
): Promise<{ readonly rate: number; readonly waitMs: number }> {
  const { seconds } = bench;
  const prefix = `overload ${round}`;
  const rate = state.peak * excess;
  const { offer, ...load } = await run(bench, product, state, { kind: 'offer', prefix, rate });
  if (!offer) throw new Error('the generator did not say what became of its offer');
  const each = (count: number): string => `${Math.round(count / seconds)}/s`;
  const { done, refused } = offer;
  bench.note(
    `${prefix}: offered ${Math.round(rate)}/s, sent ${each(offer.sent)}, held back by full ` +
      `connections ${each(offer.held)}, done ${Math.round(offer.donePerSecond)}/s ` +
      `(p50 ${done.p50.toFixed(0)} ms, p99 ${done.p99.toFixed(0)} ms), refused ` +
      `${each(load.refused)} (p50 ${refused.p50.toFixed(0)} ms, p99 ${refused.p99.toFixed(0)} ms)`,
  );
  return { rate: offer.donePerSecond, waitMs: done.p99 };
}

async function run(
  { server, seconds }: Bench,
  product: Product,
  state: State,
  job: Pick<Job, 'kind' | 'prefix' | 'rate' | 'inFlight'>,
) {
  await waitUntilDrained(server, product);
  const whole = { ...job, tokens: state.tokens, wallets, seconds };
  const load = await generate(product, whole, { mayBeRefused: true });
  state.entries += BigInt(load.done);
  await waitUntilDrained(server, product);
  await checkLedger(server, product, state.entries);
  return load;
}
