import type { Report } from './report.ts';
import type { Situation } from './timeline.ts';

const classes = [
  ...(['calls', 'reads', 'statements', 'streams', 'mixed stream', 'messages'] as const),
  'batches',
] as const;
/**
 * `streams` carry no wallet that is ever locked. `mixed stream` does, and its results come in
 * order: what is behind a stuck item waits for that one's answer. `messages`: from publish to their
 * event.
 */
export type LatencyClass = (typeof classes)[number];

/**
 * The most that p99 may be beside a locked wallet; a statement waits for missing lines by itself.
 */
const limitsMs: Readonly<Partial<Record<LatencyClass, number>>> = {
  calls: 1_000,
  reads: 1_000,
  streams: 1_000,
  // The stuck item's second, and then its own turn.
  'mixed stream': 1_250,
  messages: 1_000,
};
/** Fewer say nothing about a hundredth. */
const minJudged = 50;

export type Latencies = {
  record(of: LatencyClass, situation: Situation, tookMs: number): void;
  /** A passing refusal (busy, unavailable) on the way to the answer. */
  refused(of: LatencyClass, situation: Situation): void;
  print(say: (line: string) => void): void;
  /** p99 beside a locked wallet: each that is above its limit, or of too few, is a violation. */
  evaluate(report: Report): readonly LockedLatency[];
};

/** How long other wallets took while one was locked. */
export type LockedLatency = {
  readonly of: LatencyClass;
  readonly count: number;
  readonly p99Ms: number;
  readonly limitMs: number;
  readonly isMet: boolean;
};

type Cell = { readonly tookMs: number[]; refusals: number };

export function createLatencies(): Latencies {
  const cells = new Map<string, Cell>();
  const cellOf = (of: LatencyClass, situation: Situation): Cell => {
    const name = `${of}|${situation}`;
    const cell = cells.get(name) ?? { tookMs: [], refusals: 0 };
    cells.set(name, cell);
    return cell;
  };
  return {
    record: (of, situation, tookMs) => void cellOf(of, situation).tookMs.push(tookMs),
    refused: (of, situation) => void (cellOf(of, situation).refusals += 1),
    print: (say) => {
      const columns = ['done', 'p50 ms', 'p99 ms', 'max ms', 'refusals'];
      say(formatRow('latency', 'situation', columns));
      for (const [name, { tookMs, refusals }] of [...cells].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const [of = '', situation = ''] = name.split('|');
        const numbers = [0.5, 0.99, 1].map((share) => quantile(tookMs, share).toFixed(0));
        say(formatRow(of, situation, [String(tookMs.length), ...numbers, String(refusals)]));
      }
    },
    evaluate: (report) =>
      classes.flatMap((of) => {
        const limitMs = limitsMs[of];
        if (limitMs === undefined) return [];
        const { tookMs } = cellOf(of, 'beside a lock');
        const { length: count } = tookMs;
        const p99Ms = quantile(tookMs, 0.99);
        const isMet = count >= minJudged && p99Ms <= limitMs;
        const found = count < minJudged ? `only ${count} measured` : `p99 ${p99Ms.toFixed(0)} ms`;
        const what = `${of} on other wallets than the locked one: ${found}, limit ${limitMs} ms`;
        if (!isMet) report.violate('latency', what);
        return [{ of, count, p99Ms, limitMs, isMet }];
      }),
  };
}

const formatRow = (first: string, second: string, columns: readonly string[]): string =>
  first.padEnd(14) + second.padEnd(22) + columns.map((text) => text.padStart(10)).join('');

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
