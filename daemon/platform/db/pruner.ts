import { setTimeout as sleep } from 'node:timers/promises';

import { classifyDbError, type Db, type Tx } from './db.ts';
import type { Log } from '../log.ts';
import type { Reading } from '../metrics.ts';

/** Rows that are of no use any more. */
export type Pruning = {
  /** What they are, for the log and the metrics. */
  readonly name: string;
  /** Deletes at most about `limit` rows, and gives how many it were: fewer once none is left. */
  readonly prune: (tx: Tx, limit: number) => Promise<number>;
};

export type Pruner = {
  readonly readings: readonly Reading[];
  start(): void;
  /** Resolves when the portion in flight has ended. */
  stop(): Promise<void>;
};

export type PrunerOptions = {
  readonly db: Db;
  readonly log: Log;
  readonly prunings: readonly Pruning[];
  /** For tests. */
  readonly firstAfterMs?: number;
  readonly everyMs?: number;
};

const defaultFirstAfterMs = 30_000;
const defaultEveryMs = 10 * 60_000;
const portionRows = 1_000;
const leastRows = 10;
/** Between two portions, so that a large backlog leaves room for others. */
const pauseMs = 10;
/** After so many failures in a row the rest waits for the next time. */
const maxFailures = 5;

type Tally = { rows: number; failures: number };

/**
 * Deletes what is of no use any more in portions, each in a short transaction of its own, until
 * none is left: however much has piled up, each portion counts. One that takes too long is tried in
 * half.
 */
export function createPruner(options: PrunerOptions): Pruner {
  const { db, log, prunings } = options;
  const { firstAfterMs = defaultFirstAfterMs, everyMs = defaultEveryMs } = options;
  const tallies = new Map<string, Tally>(prunings.map(({ name }) => [name, newTally()]));
  const stopping = new AbortController();
  const isStopped = (): boolean => stopping.signal.aborted;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const pruneOne = async ({ name, prune }: Pruning): Promise<number> => {
    const tally = tallies.get(name) ?? newTally();
    let [limit, failures, rows] = [portionRows, 0, 0];
    while (!isStopped() && failures < maxFailures) {
      try {
        const count = await db.tx((tx) => prune(tx, limit));
        failures = 0;
        rows += count;
        tally.rows += count;
        if (count < limit) break;
      } catch (err) {
        failures += 1;
        tally.failures += 1;
        limit = Math.max(leastRows, limit >> 1);
        log.warn({ err, pruned: name, nextRows: limit }, 'outdated rows were not deleted');
        // A defect is no better in a moment, or in half.
        if (classifyDbError(err) !== 'transient') break;
      }
      await sleep(pauseMs);
    }
    return rows;
  };
  const pruneAll = async (): Promise<void> => {
    const rows: Record<string, number> = {};
    for (const pruning of prunings) {
      const count = await pruneOne(pruning);
      if (count > 0) rows[pruning.name] = count;
    }
    if (Object.keys(rows).length > 0) log.info({ rows }, 'outdated rows were deleted');
    if (!isStopped()) plan(everyMs);
  };
  const plan = (delayMs: number): void => {
    timer = setTimeout(() => {
      running = pruneAll();
    }, delayMs);
  };
  return {
    readings: [...tallies].flatMap(([name, tally]) => readingsOf(name, tally)),
    start: () => plan(firstAfterMs),
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

const newTally = (): Tally => ({ rows: 0, failures: 0 });

const readingsOf = (name: string, tally: Tally): Reading[] => [
  {
    name: 'walletd_pruned_rows_total',
    help: 'Outdated rows that were deleted',
    isCounter: true,
    labels: { of: name },
    read: () => tally.rows,
  },
  {
    name: 'walletd_prune_failures_total',
    help: 'Portions of outdated rows that could not be deleted',
    isCounter: true,
    labels: { of: name },
    read: () => tally.failures,
  },
];
