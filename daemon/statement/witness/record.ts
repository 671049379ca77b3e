import type { Db } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { toDivergence, type Divergence, type Finding } from './lines.ts';
import { recordDivergences } from './store.ts';

/** Readers of lines report here a contradiction that they find. */
export type Reporter = Pick<Recorder, 'report'>;

/** The command that makes the lines of a wallet what the ledger says. */
const repairCommand = (walletId: string): string =>
  `walletd statements rebuild --wallet ${walletId}`;

export type Recorder = {
  /** Keeps divergences in a table of their own, and reports them. */
  record(divergences: readonly Divergence[]): Promise<void>;
  /** Keeps what a statement found. What to say of it, and the command that repairs it. */
  report(walletId: string, finding: Finding): Promise<string>;
  /** Found since the start. */
  count(): number;
};

/**
 * A statement may have read its lines just before a rebuild repaired them. So what it finds opens
 * nothing that was resolved a moment ago; the next statement that finds it does.
 */
const repairedMs = 5_000;

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
      'statement lines of a wallet contradict each other, an event or the ledger',
    );
  };
  const record = async (divergences: readonly Divergence[], graceMs = 0): Promise<void> => {
    found += await db.tx((tx) => recordDivergences(tx, divergences, graceMs));
    divergences.forEach(report);
  };
  return {
    record: (divergences) => record(divergences),
    report: async (walletId, finding) => {
      const divergence = toDivergence(finding.kind, { ...finding, walletId });
      // The answer does not depend on it.
      await record([divergence], repairedMs).catch((err: unknown) =>
        log.error({ err, walletId }, 'a divergence was not recorded'),
      );
      return `${finding.text}; an operator repairs it with: ${repairCommand(walletId)}`;
    },
    count: () => found,
  };
}
