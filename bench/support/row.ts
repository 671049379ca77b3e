import type { Pgbench } from './pgbench.ts';
import type { Paired } from './rounds.ts';
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
   * User and system time of daemon, Postgres and RabbitMQ for a transaction, and of Postgres for
   * one of the baseline's; null or absent where it makes no sense.
   */
  readonly cpuMicros?: number | null;
  readonly baselineCpuMicros?: number | null;
  /** Such as `>= 10`, of the ratio unless the unit says otherwise. */
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

type Bound = { readonly atLeast: number } | { readonly atMost: number };

/** Judges a ratio by its target. */
export function evaluate(
  row: Pick<ResultRow, 'id' | 'what' | 'unit'>,
  measured: Pick<Paired, 'value' | 'baseline' | 'ratio'> & Partial<Paired>,
  bound: Bound,
): ResultRow {
  const isMet =
    'atLeast' in bound ? measured.ratio >= bound.atLeast : measured.ratio <= bound.atMost;
  const target = 'atLeast' in bound ? `>= ${bound.atLeast}` : `<= ${bound.atMost}`;
  return { ...row, ...measured, target, met: isMet };
}

const maxGrowthBytes = 64 * 1024 * 1024;

export const toMiB = (bytes: number): number => Math.round(bytes / 2 ** 20);

/** Of the rounds the worst: a limit on memory holds always or not at all. */
export function evaluateGrowth(id: string, what: string, growths: readonly number[]): ResultRow {
  const worst = Math.max(...growths);
  return {
    ...{ id, what, unit: 'MiB' },
    value: worst / 2 ** 20,
    baseline: null,
    ratio: null,
    target: `<= ${toMiB(maxGrowthBytes)} MiB`,
    met: worst <= maxGrowthBytes,
  };
}
