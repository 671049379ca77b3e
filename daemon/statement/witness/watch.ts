import type { Db } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { createLoop } from '../../platform/concurrency/loop.ts';
import type { Reading } from '../../platform/metrics.ts';
import type { Recorder } from './record.ts';
import { countOpenDivergences, maxCounted } from './store.ts';

const pollMs = 2_000;

/** Keeps in mind how many divergences are not resolved, whichever daemon found them. */
export function watchDivergences(db: Db, log: Log) {
  let open = 0n;
  const loop = createLoop({
    name: 'divergences',
    work: async () => {
      open = await db.read(countOpenDivergences);
      return false;
    },
    pollMs,
    log,
  });
  return {
    count: (): number => Number(open),
    /** For `/readyz`; undefined if there is none. */
    findTrouble: (): string | undefined =>
      open === 0n
        ? undefined
        : `statement lines and the ledger contradict each other (${open >= maxCounted ? 'at least ' : ''}${open} divergences): run walletd statements rebuild`,
    start: (): void => loop.start(),
    stop: (): Promise<void> => loop.stop(),
  };
}

/** Divergences for `/metrics`. */
export const listReadings = (
  recorder: Pick<Recorder, 'count'>,
  watch: { readonly count: () => number },
): Reading[] => [
  {
    name: 'walletd_statement_divergences_total',
    help: 'Events and lines found since the start that contradict each other or the ledger',
    isCounter: true,
    read: recorder.count,
  },
  {
    name: 'walletd_statement_divergences_open',
    help: 'Those that are not resolved, of all daemons',
    read: watch.count,
  },
];
