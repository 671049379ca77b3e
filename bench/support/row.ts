import type { Pgbench } from './pgbench.ts';
import { median, type Paired } from './rounds.ts';
import type { BenchServer } from './server.ts';

/** What all rows of a run share. */
export type Bench = {
  readonly server: BenchServer;
  readonly pgbench: () => Promise<Pgbench>;
  readonly rounds: number;
  /** How long each single measurement lasts. */
  readonly seconds: number;
  /** A smoke run: everything small, and its numbers mean nothing. */
  readonly isQuick: boolean;
  note(text: string): void;
};

/** One line of the table, and of latest.json. */
export type ResultRow = {
  readonly id: string;
  readonly what: string;
  readonly unit: string;
  readonly value: number | null;
  readonly baseline: number | null;
  readonly ratio: number | null;
  /**
   * User and system time of daemon, Postgres and RabbitMQ for a transaction, call or line, and of
   * Postgres for one of the baseline's; null or absent where it makes no sense.
   */
  readonly cpuMicros?: number | null;
  readonly baselineCpuMicros?: number | null;
  /** The share of the machine's processors in use during the product's measurement, 0 to 100. */
  readonly busyPercent?: number | null;
  /** Such as `>= 10`, of the ratio unless the unit says otherwise; all of several must hold. */
  readonly target: string;
  /** null: it was not run, which is never the same as met. */
  readonly met: boolean | null;
  /** Why there is no number. */
  readonly reason?: string;
};

export type Row = {
  readonly id: string;
  /** Measures; throws if what it did was not right, whatever the speed. */
  run(bench: Bench): Promise<readonly ResultRow[]>;
};

export type Bound = ({ readonly atLeast: number } | { readonly atMost: number }) & {
  /** Of processor time, at most. */
  readonly micros?: number;
  /** Of the machine's processors in use, at least. */
  readonly busyPercent?: number;
};
type Condition = { readonly text: string; readonly isMet: boolean };
type Named = Pick<ResultRow, 'id' | 'what' | 'unit'>;

/** Judges a ratio by its target, and by what else must hold. What is not known is not met. */
export function evaluate(
  row: Named,
  measured: Pick<Paired, 'value' | 'baseline' | 'ratio'> & Partial<Paired>,
  bound: Bound,
  others: readonly Condition[] = [],
): ResultRow {
  const { ratio, cpuMicros, busyPercent } = measured;
  const conditions: Condition[] = [
    'atLeast' in bound
      ? { text: `>= ${bound.atLeast}`, isMet: ratio >= bound.atLeast }
      : { text: `<= ${bound.atMost}`, isMet: ratio <= bound.atMost },
  ];
  if (bound.micros !== undefined) {
    const isMet = (cpuMicros ?? Infinity) <= bound.micros;
    conditions.push({ text: `<= ${bound.micros} µs`, isMet });
  }
  if (bound.busyPercent !== undefined) {
    const isMet = (busyPercent ?? 0) >= bound.busyPercent;
    conditions.push({ text: `busy >= ${bound.busyPercent} %`, isMet });
  }
  conditions.push(...others);
  const target = conditions.map(({ text }) => text).join(', ');
  return { ...row, ...measured, target, met: conditions.every(({ isMet }) => isMet) };
}

/** A time in milliseconds, the median of the rounds, by a target of its own. */
export function evaluateTime(
  row: Pick<ResultRow, 'id' | 'what'> & Partial<ResultRow>,
  rounds: readonly number[],
  atMostMs: number,
): ResultRow {
  const value = median(rounds);
  const [target, met] = [`<= ${atMostMs} ms`, value <= atMostMs];
  return { ...row, unit: 'ms', value, baseline: null, ratio: null, target, met };
}

const maxGrowthBytes = 64 * 1024 * 1024;

export const toMiB = (bytes: number): number => Math.round(bytes / 2 ** 20);

/** Of the rounds the worst: a limit on memory holds always or not at all. */
export function evaluateGrowth(
  row: Pick<ResultRow, 'id' | 'what' | 'busyPercent'>,
  growths: readonly number[],
): ResultRow {
  const worst = Math.max(...growths);
  return {
    ...{ ...row, unit: 'MiB' },
    value: worst / 2 ** 20,
    baseline: null,
    ratio: null,
    target: `<= ${toMiB(maxGrowthBytes)} MiB`,
    met: worst <= maxGrowthBytes,
  };
}
