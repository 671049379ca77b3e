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

export type Paired = { readonly value: number; readonly baseline: number; readonly ratio: number };

/**
 * Baseline and product in turn, the one that begins changing from round to round, so that what
 * slows the machine down slows both. The ratio is the median of the rounds' own ratios.
 */
export async function runRounds(
  count: number,
  baseline: (round: number) => Promise<number>,
  product: (round: number) => Promise<number>,
): Promise<Paired> {
  const pairs: { value: number; baseline: number }[] = [];
  for (let round = 0; round < count; round += 1) {
    if (round % 2 === 0) {
      const first = await baseline(round);
      pairs.push({ baseline: first, value: await product(round) });
    } else {
      const value = await product(round);
      pairs.push({ value, baseline: await baseline(round) });
    }
  }
  return {
    value: median(pairs.map((pair) => pair.value)),
    baseline: median(pairs.map((pair) => pair.baseline)),
    ratio: median(pairs.map((pair) => pair.value / pair.baseline)),
  };
}
