/** The value in the middle; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? NaN) + high) / 2;
}

/** The value below which this share of the others lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export type Paired = {
  readonly value: number;
  readonly baseline: number;
  readonly ratio: number;
  /** Processor time of a transaction; null where it was not measured. */
  readonly cpuMicros: number | null;
  readonly baselineCpuMicros: number | null;
  /** The share of the machine's processors in use during the product's measurement, 0 to 100. */
  readonly busyPercent: number | null;
};

/** What a round has measured: a value, and cost and use of the machine where they are known. */
export type Measure = {
  readonly value: number;
  readonly cpuMicros: number | null;
  readonly busyPercent?: number | null;
};
type Round = (round: number) => Promise<number | Measure>;

/**
 * Baseline and product in turn, the one that begins changing from round to round, so that what
 * slows the machine down slows both. The ratio is the median of the rounds' own ratios.
 */
export async function runRounds(count: number, baseline: Round, product: Round): Promise<Paired> {
  const pairs: Pair[] = [];
  for (let round = 0; round < count; round += 1) {
    if (round % 2 === 0) {
      const first = toMeasure(await baseline(round));
      pairs.push({ baseline: first, product: toMeasure(await product(round)) });
    } else {
      const first = toMeasure(await product(round));
      pairs.push({ product: first, baseline: toMeasure(await baseline(round)) });
    }
  }
  return summarize(pairs);
}

export type Pair = { readonly product: Measure; readonly baseline: Measure };

/** Medians over the rounds. */
export function summarize(pairs: readonly Pair[]): Paired {
  return {
    value: median(pairs.map(({ product }) => product.value)),
    baseline: median(pairs.map(({ baseline }) => baseline.value)),
    ratio: median(pairs.map(({ product, baseline }) => product.value / baseline.value)),
    cpuMicros: medianOfKnown(pairs.map(({ product }) => product.cpuMicros)),
    baselineCpuMicros: medianOfKnown(pairs.map(({ baseline }) => baseline.cpuMicros)),
    busyPercent: medianOfKnown(pairs.map(({ product }) => product.busyPercent ?? null)),
  };
}

const toMeasure = (measured: number | Measure): Measure =>
  typeof measured === 'number' ? { value: measured, cpuMicros: null } : measured;

/** null where none is known. */
export function medianOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? median(known) : null;
}
