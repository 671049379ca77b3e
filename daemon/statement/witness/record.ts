import type { Db } from '../../platform/db.ts';
import type { Log } from '../../platform/log.ts';
import type { Divergence } from './lines.ts';
import { recordDivergences } from './store.ts';

/** The command that makes the lines of a wallet what the ledger says. */
export const repairCommand = (walletId: string): string =>
  `walletd statements rebuild --wallet ${walletId}`;

export type Recorder = {
  /** Keeps divergences in a table of their own, and reports them. */
  record(divergences: readonly Divergence[]): Promise<void>;
  /** Found since the start. */
  count(): number;
};

/** A wallet is named in the log at most so often. */
const logEveryMs = 10 * 60_000;
const maxLogged = 10_000;

export function createRecorder(db: Db, log: Log): Recorder {
  const loggedAt = new Map<string, number>();
  let found = 0;
  const report = ({ walletId, seq, kind }: Divergence): void => {
    const nowMs = performance.now();
    if (nowMs - (loggedAt.get(walletId) ?? -Infinity) < logEveryMs) return;
    if (loggedAt.size >= maxLogged) loggedAt.clear();
    loggedAt.set(walletId, nowMs);
    const seqText = seq.toString();
    log.error(
      { walletId, seq: seqText, kind, repair: repairCommand(walletId) },
      'statement lines and events of a wallet contradict each other',
    );
  };
  return {
    record: async (divergences) => {
      found += await db.tx((tx) => recordDivergences(tx, divergences));
      divergences.forEach(report);
    },
    count: () => found,
  };
}
