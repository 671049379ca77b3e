import { refuse, type Rejection } from '../../../core/reasons.ts';
import { classifyDbError } from '../../platform/db/db.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Log } from '../../platform/log.ts';
import type { Reading } from '../../platform/metrics.ts';
import type { Alarms } from './optimistic-commit.ts';

/** How often the same wallet is in the log. */
const logEveryMs = 10 * 60_000;
const maxLogged = 1_000;

export type LedgerAlarms = Alarms & {
  readonly readings: readonly Reading[];
  /** What an operator has to look into since this process began; undefined if nothing. */
  findTrouble(): string | undefined;
};

/** Puts what contradicts the ledger into the log, the metrics and `/readyz`. */
export function createLedgerAlarms(log: Log): LedgerAlarms {
  const loggedAt = new Map<string, number>();
  const counts = { corrupt: 0, lost: 0 };
  const isNews = (name: string): boolean => {
    const nowMs = performance.now();
    const before = loggedAt.get(name);
    if (before !== undefined && nowMs - before < logEveryMs) return false;
    if (loggedAt.size >= maxLogged) loggedAt.clear();
    loggedAt.set(name, nowMs);
    return true;
  };
  return {
    onCorrupt: (walletId) => {
      counts.corrupt += 1;
      if (!isNews(`corrupt ${walletId}`)) return;
      log.error({ walletId }, 'a wallet does not agree with its last transaction: it is refused');
    },
    onLostCommits: (wallet, remembered) => {
      counts.lost += 1;
      if (!isNews(`lost ${wallet.id}`)) return;
      const seqs = { seq: String(wallet.seq), committedSeq: String(remembered.seq) };
      log.error({ walletId: wallet.id, ...seqs }, 'the database has lost committed transactions');
    },
    readings: [
      {
        name: 'walletd_wallet_corrupt_total',
        help: 'Commits that met a wallet which does not agree with its last transaction',
        read: () => counts.corrupt,
      },
      {
        name: 'walletd_lost_commits_total',
        help: 'Wallets found in an older state than this process had committed',
        read: () => counts.lost,
      },
    ],
    findTrouble: () => {
      if (counts.lost > 0) return 'the wallet database has lost committed transactions';
      if (counts.corrupt > 0) return 'a wallet does not agree with its ledger';
      return undefined;
    },
  };
}

/** The refusal for a commit that failed unexpectedly; one line in the log for each failure. */
export function explainDefects(log: Log): (err: unknown) => Rejection {
  const explained = new WeakMap<object, Rejection>();
  return (err) => {
    const isObject = typeof err === 'object' && err !== null;
    const known = (isObject ? explained.get(err) : undefined) ?? findTransientRejection(err);
    if (known) return known;
    log.error({ err }, 'unexpected error: a commit was rolled back');
    const message = 'something went wrong on the server: nothing was done; see its log';
    // Content that no check caught and the database refuses can never be stored.
    const cause = classifyDbError(err) === 'data' ? { cause: 'content' } : {};
    const { rejection } = refuse('INTERNAL', message, { outcome: 'not done', ...cause });
    if (isObject) explained.set(err, rejection);
    return rejection;
  };
}
