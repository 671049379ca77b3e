import type { Timeline } from './timeline.ts';

/** What a run found. */
export type Report = {
  /** Something that must not be; `asked` says what was asked, answered and when. */
  violate(kind: string, what: string, asked?: string): void;
  readonly violations: number;
  /** How many of each kind. */
  readonly counts: ReadonlyMap<string, number>;
  readonly say: (line: string) => void;
};

/** The first ones of a kind are enough to understand it. */
const maxShown = 6;
const maxAskedLength = 3_000;

export function createReport(timeline: Timeline, say: (line: string) => void): Report {
  const counts = new Map<string, number>();
  return {
    violate: (kind, what, asked = '') => {
      const seen = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, seen);
      if (seen > maxShown) return;
      const now = performance.now();
      say(`${timeline.secondsOf(now)} s: violation: ${kind}: ${what}`);
      if (asked !== '') say(`  ${asked.slice(0, maxAskedLength)}`);
      say(`  faults: ${timeline.describe(now - 1_000, now)}`);
    },
    get violations() {
      return [...counts.values()].reduce((sum, count) => sum + count, 0);
    },
    counts,
    say,
  };
}
