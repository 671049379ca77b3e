import { setTimeout as sleep } from 'node:timers/promises';

import { queryService } from '../../support/ledger/ledger.ts';
import type { FaultSite } from '../site/fault-site.ts';
import type { RunRecord } from './record.ts';

const everyMs = 1_000;
/** Rows leave the outbox in the order of their ids: the lowest one grows with each row sent. */
const outboxText =
  'SELECT count(*)::int AS waiting, coalesce(min(id), 0)::int AS oldest FROM outbox';

export type ProgressWatch = { stop(): Promise<void> };

/**
 * Looks at the outboxes of both services, and for what the daemons log about parts without
 * progress. While the database does not answer there are no samples.
 */
export function watchProgress({ dataDir, nodes }: FaultSite, record: RunRecord): ProgressWatch {
  const stopping = new AbortController();
  const read = nodes.map(() => 0);
  const sample = async (service: 'wallet' | 'statement'): Promise<void> => {
    type Row = { waiting: number; oldest: number };
    const [row] = await queryService<Row>(dataDir, service, outboxText).catch(() => []);
    if (!row) return;
    const counts = { doneCount: row.oldest, waitingCount: row.waiting };
    record.sampleProgress({ part: `${service}.outbox`, ...counts });
  };
  const readLogs = (): void => {
    for (const [i, { name: daemon, log }] of nodes.entries()) {
      const text = log();
      for (const part of findStalls(text.slice(read[i])))
        record.alert({ daemon, over: 'log', part });
      // A line that is not complete yet is read again.
      read[i] = text.lastIndexOf('\n') + 1;
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await Promise.all([sample('wallet'), sample('statement')]);
      readLogs();
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** The parts that lines of a log say to make no progress (docs/operations.md, "Stalls"). */
export function findStalls(log: string): readonly string[] {
  return log.split('\n').flatMap((line) => {
    if (!line.includes('"no progress')) return [];
    const part = /"part":"([^"]+)"/.exec(line)?.[1];
    return part === undefined || !line.endsWith('}') ? [] : part;
  });
}
