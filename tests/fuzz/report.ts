/** What a run found and counted. */
export type Report = {
  readonly seed: string;
  /** Something that must not be; `input` is enough to do it again. */
  violate(kind: string, index: number | undefined, what: string, input?: string): void;
  /** One more input of this kind, and how it ended. */
  count(kind: string, ending: string): void;
  /** The part of a kind's inputs that ended like this, from 0 to 1. */
  shareOf(kind: string, ending: string): number;
  readonly inputs: number;
  readonly violations: number;
  print(): void;
};

const maxShown = 40;
const maxInputLength = 4_000;

export function createReport(seed: string, say: (line: string) => void): Report {
  const endings = new Map<string, Map<string, number>>();
  const same = new Map<string, number>();
  let inputs = 0;
  let violations = 0;
  const totalOf = (of: ReadonlyMap<string, number>): number =>
    [...of.values()].reduce((sum, count) => sum + count, 0);
  return {
    seed,
    violate: (kind, index, what, input = '') => {
      violations += 1;
      const seen = same.get(`${kind} ${what}`) ?? 0;
      same.set(`${kind} ${what}`, seen + 1);
      // The first two of a sort are enough to find it.
      if (seen >= 2 || same.size > maxShown) return;
      const again =
        index === undefined ? '' : ` (--seed ${seed} --kinds ${kind} --from ${index} --count 1)`;
      say(`violation: ${kind}: ${what}${again}`);
      if (input !== '') say(`  input: ${input.slice(0, maxInputLength)}`);
    },
    count: (kind, ending) => {
      inputs += 1;
      const of = endings.get(kind) ?? new Map<string, number>();
      endings.set(kind, of);
      of.set(ending, (of.get(ending) ?? 0) + 1);
    },
    shareOf: (kind, ending) => {
      const of = endings.get(kind);
      return of ? (of.get(ending) ?? 0) / totalOf(of) : 0;
    },
    get inputs() {
      return inputs;
    },
    get violations() {
      return violations;
    },
    print: () => {
      for (const [kind, of] of endings) {
        const total = totalOf(of);
        const parts = [...of]
          .sort((a, b) => b[1] - a[1])
          .map(([name, n]) => `${name} ${n} (${((n / total) * 100).toFixed(1)} %)`);
        say(`${kind}: ${total}: ${parts.join(', ')}`);
      }
      for (const [what, count] of same) if (count > 2) say(`${count} times: ${what}`);
    },
  };
}

/** Leaves the event loop to others once this work has gone on for a while. */
export function createYielder(sliceMs = 20): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < sliceMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}
