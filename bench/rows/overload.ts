import { checkLedger, waitUntilDrained, waitUntilEmpty } from '../support/check.ts';
import { fund, generate, readCost, type Measured } from '../support/generator.ts';
import type { Job, Offer } from '../support/jobs.ts';
import { operatorCount, startProduct, type Product } from '../support/product.ts';
import { runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, evaluateTime } from '../support/row.ts';
import type { Bench, ResultRow, Row } from '../support/row.ts';

const wallets = 10_000;
/** Calls at any time, of whose rates the best is the peak. */
const ladder = [64, 256, 512];
const excess = 4;
const maxWaitMs = 1_000;
const maxRefusalMs = 50;

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
      const offers: Offer[] = [];
      await measurePeak(bench, product, state, 'warm-up');
      const measured = await runRounds(
        bench.rounds,
        (round) => measurePeak(bench, product, state, `peak ${round}`),
        async (round) => {
          const { measure, offer } = await measureExcess(bench, product, state, round);
          offers.push(offer);
          return measure;
        },
      );
      const what = `CreateTransaction, offered at ${excess} x the peak`;
      const row = { id: 'overload', what, unit: 'transactions/s' };
      return [evaluate(row, measured, { atLeast: 0.9 }), ...evaluateWaits(offers, measured)];
    } finally {
      await product.stop();
    }
  },
};

function evaluateWaits(
  offers: readonly Offer[],
  { busyPercent }: Pick<ResultRow, 'busyPercent'>,
): ResultRow[] {
  const shared = { busyPercent: busyPercent ?? null };
  const wait = { id: 'overload-wait', what: 'p99 of what is done meanwhile', ...shared };
  const refusal = { id: 'overload-refusal', what: 'p99 of what is refused', ...shared };
  // Without a refusal in any round there is no time of one.
  const refused = offers.map((offer) => offer.refused.p99).filter((ms) => ms > 0);
  const done = offers.map((offer) => offer.done.p99);
  const refusals = evaluateTime(refusal, refused, maxRefusalMs);
  return [
    evaluateTime(wait, done, maxWaitMs),
    refused.length > 0
      ? refusals
      : { ...refusals, value: null, met: null, reason: 'nothing was refused' },
  ];
}

/** The best of the ladder. */
async function measurePeak(
  bench: Bench,
  product: Product,
  state: State,
  prefix: string,
): Promise<Measure> {
  const measures: Measure[] = [];
  for (const inFlight of ladder) {
    const job = { kind: 'unary', prefix: `${prefix} ${inFlight}`, inFlight } as const;
    const { load, cpuMicros } = await run(bench, product, state, job);
    measures.push({ value: load.done / load.seconds, cpuMicros });
  }
  const shown = measures.map(({ value }, i) => `${ladder[i]} in flight ${Math.round(value)}/s`);
  bench.note(`${prefix}: ${shown.join(', ')}`);
  const peak = measures.reduce((best, next) => (next.value > best.value ? next : best));
  state.peak = peak.value;
  return peak;
}

async function measureExcess(
  bench: Bench,
  product: Product,
  state: State,
  round: number,
): Promise<{ readonly measure: Measure; readonly offer: Offer }> {
  const { seconds } = bench;
  const prefix = `overload ${round}`;
  const rate = state.peak * excess;
  const job = { kind: 'offer', prefix, rate } as const;
  const { load, cpuMicros } = await run(bench, product, state, job);
  const { offer, busyPercent } = load;
  if (!offer) throw new Error('the generator did not say what became of its offer');
  const each = (count: number): string => `${Math.round(count / seconds)}/s`;
  const { done, refused } = offer;
  bench.note(
    `${prefix}: offered ${Math.round(rate)}/s, sent ${each(offer.sent)}, held back by full ` +
      `connections ${each(offer.held)}, done ${Math.round(offer.donePerSecond)}/s ` +
      `(p50 ${done.p50.toFixed(0)} ms, p99 ${done.p99.toFixed(0)} ms), refused ` +
      `${each(load.refused)} (p50 ${refused.p50.toFixed(0)} ms, p99 ${refused.p99.toFixed(0)} ms)`,
  );
  return { measure: { value: offer.donePerSecond, cpuMicros, busyPercent }, offer };
}

/** A load, and what a call of it cost that was done; refusals are part of that. */
async function run(
  { server, seconds }: Bench,
  product: Product,
  state: State,
  job: Pick<Job, 'kind' | 'prefix' | 'rate' | 'inFlight'>,
): Promise<{ readonly load: Measured; readonly cpuMicros: number | null }> {
  await waitUntilDrained(server, product);
  const whole = { ...job, tokens: state.tokens, wallets, seconds };
  const load = await generate(product, whole, { mayBeRefused: true });
  state.entries += BigInt(load.done);
  await waitUntilEmpty(server, product);
  const cpuMicros = await readCost(product, load);
  await checkLedger(server, product, state.entries);
  return { load, cpuMicros };
}
