import { refuse, type Rejection } from '../../../core/reasons.ts';
import type { Tx } from '../../platform/db/db.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import type { Line } from '../domain.ts';
import type { Finding } from '../witness/lines.ts';
import type { Reporter } from '../witness/record.ts';
import { toFinding } from '../witness/verdict.ts';
import { maxWallets } from './cursor.ts';
import type { WatchHub } from './hub.ts';
import { advance, type Position } from './positions.ts';
import { toPlace, tooManyWallets, type WatchState } from './state.ts';
import * as store from './store.ts';

type Inconsistency = Pick<Line, 'walletId' | 'userId' | 'currency'> & {
  /** What contradicts, and the command that repairs it. */
  readonly text: string;
};

/** What a watch sends next; both may be empty. */
export type Step = {
  readonly lines: readonly Line[];
  readonly inconsistencies: readonly Inconsistency[];
  /** More lines wait. */
  readonly isFull: boolean;
};

type Reading = {
  readonly hub: Pick<WatchHub, 'read'>;
  readonly reporter: Reporter;
  /** Who watches. */
  readonly userId: string;
  readonly isCancelled: () => boolean;
};

/** Of all wallets of a watch: they are held while the client reads. */
const maxLines = 250;

/**
 * Reads the next lines of all wallets that may have some, in one statement, and moves the state
 * behind them. A wallet whose lines contradict each other or the ledger is held back, as its
 * statement is inconsistent; that is said once. Rejects with INVALID_ARGUMENT where the watch
 * cannot go on.
 */
export async function readStep(reading: Reading, state: WatchState): Promise<Step> {
  const { hub, userId, isCancelled } = reading;
  const { positions, read, open, limit } = await hub.read(userId, isCancelled, (tx) =>
    readDue(tx, state),
  );
  const lines: Line[] = [];
  const inconsistencies: Inconsistency[] = [];
  let isFull = false;
  const hold = async (position: Position, found: Finding): Promise<void> => {
    if (!state.tell(position, found)) return;
    const { walletId, currency } = position;
    const text = await reading.reporter.report(walletId, found);
    inconsistencies.push({ walletId, userId: position.userId, currency, text });
  };
  for (const position of positions) {
    const next = read.get(position.walletId);
    if (!next) continue;
    const divergence = open.get(position.walletId);
    if (divergence) {
      if (next.some(({ seq }) => seq > position.seq)) await hold(position, toFinding(divergence));
      continue;
    }
    const step = advance(position, next);
    if (step.isReplaced) throw createTransientRejection(replaced(position));
    state.set(step.position);
    state.move(step.position, step.lines);
    lines.push(...step.lines);
    if (step.found) await hold(position, step.found);
    const isToBeReadAgain = position.isConfirmed && !step.position.isConfirmed;
    const hasMore = step.lines.length > 0 && next.length === limit;
    if (isToBeReadAgain || hasMore) state.note(position.walletId);
    isFull ||= hasMore;
  }
  return { lines, inconsistencies, isFull };
}

/** The next lines of the wallets that may have some, and what is known to contradict in them. */
async function readDue(tx: Tx, state: WatchState) {
  if (state.takeOthers()) {
    const wallets = await store.findWallets(tx, state.scope, maxWallets + 1);
    if (!state.add(wallets)) throw createTransientRejection(tooManyWallets.rejection);
  }
  const positions = state.takeDue();
  // The anchor of a resumed watch, and one line more at least.
  const limit = Math.max(2, Math.floor(maxLines / Math.max(1, positions.length)));
  const walletIds = positions.map(({ walletId }) => walletId);
  const [read, open] = await Promise.all([
    store.readNextLines(tx, positions.map(toPlace), limit),
    store.findOpenDivergences(tx, walletIds),
  ]);
  return { positions, read, open, limit };
}

const replaced = ({ walletId, seq }: Position): Rejection =>
  refuse(
    'INVALID_ARGUMENT',
    `line ${seq} of wallet ${walletId} is not the one that was sent: read its statement again, ` +
      'and watch without a cursor',
    { field: 'cursor', walletId, seq: seq.toString() },
  ).rejection;
