import type { Result } from '../../core/reasons.ts';
import { isCommitInDoubt, readClock, type Db, type Tx } from '../platform/db.ts';
import { decideBatch, newWallet, opensWallet, type WalletState } from './domain.ts';
import type { Posted, Posting } from './posting.ts';
import { distinctWallets, readStates } from './states.ts';
import { openWallets, updateWallets } from './store-writes.ts';
import { rememberDoubt, writeDecisions, type Decided } from './write-decisions.ts';

/** What a commit did: an answer for each command, and the wallets as they are after it. */
export type Committed = {
  readonly answers: readonly Result<Posted>[];
  readonly changed: readonly WalletState[];
};

/**
 * Commits a batch in one transaction: open, lock, read, decide, write, with its outbox row and its
 * lines in the audit log. After a lost answer to COMMIT the same commands are committed again.
 */
export async function commitLocked(db: Db, commands: readonly Posting[]): Promise<Committed> {
  let decided: Decided = { decisions: [], changed: [] };
  const work = async (tx: Tx): Promise<Committed> => {
    const opened = distinctWallets(commands.filter(opensWallet));
    await openWallets(tx, opened.map(newWallet));
    const states = await readStates(tx, commands, true);
    decided = decideBatch(states, commands, await readClock(tx));
    const { changed } = decided;
    if (changed.length > 0) await updateWallets(tx, changed);
    const answers = await writeDecisions(tx, commands, decided.decisions);
    return { answers, changed };
  };
  return db.tx(work).catch((err: unknown) => {
    if (isCommitInDoubt(err)) rememberDoubt(commands, decided.decisions);
    throw err;
  });
}
