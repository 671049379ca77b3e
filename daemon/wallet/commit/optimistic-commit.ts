import type { Result } from '../../../core/reasons.ts';
import { isCommitInDoubt, readClock, sqlStateOf, type Db, type Tx } from '../../platform/db/db.ts';
import {
  commitLocked,
  commitUnlocked,
  createWalletOpenings,
  type Committed,
} from './locked-commit.ts';
import type { Busy, LockMode } from './queued.ts';
import type { Command, Decision, States, WalletState } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { createWalletCache, type WalletCache } from './wallet-cache.ts';
import * as inbox from '../events/inbox.ts';
import type { AuditedDecision, AuditedCommand } from './audited-command.ts';
import * as store from '../store/store.ts';
import { distinctWallets, findCorrupt, keyOf, parentsOf } from '../store/states.ts';
import { compareAndSetWallets, type BalanceUpdate } from '../store/writes.ts';
import { awaitAll, markInDoubt, persistDecisions, type Decided } from './persist-decisions.ts';

/** After a miss so many batches are committed with locks, and twice as many after the next miss. */
const minCaution = 1;
const maxCaution = 64;

type Commit = (
  commands: readonly AuditedCommand[],
  mode?: LockMode,
) => Promise<readonly (Result<AuditedDecision> | Busy)[]>;

/**
 * Commits batches, quickly where it can: decides from the wallets' states as they were remembered,
 * and lets the one statement that moves the wallets prove that they still are so. Whatever is not
 * as remembered (another daemon, a key that was used before, a freeze, a past that was just told)
 * is rolled back and committed again by `commitLocked`, which reads everything under the lock.
 * With `skip`, commands on wallets that another transaction has locked are left out, as `busy`;
 * without it, only what is refused on a wallet that another transaction is opening.
 */
export function createOptimisticCommit(
  db: Db,
  heads: WalletCache = createWalletCache(),
  alarms: Alarms = silent,
): Commit {
  const openings = createWalletOpenings();
  let caution = minCaution;
  let cautious = 0;

  const tryQuickly = async (
    commands: readonly AuditedCommand[],
  ): Promise<Committed | undefined> => {
    if (cautious > 0) {
      cautious -= 1;
      return undefined;
    }
    const committed = await commitQuickly(db, heads, commands).catch((err: unknown) => {
      if (err === unopened) return undefined;
      // Also of an answer that was lost: the next try will find what was done.
      cautious = caution;
      caution = Math.min(maxCaution, 2 * caution);
      if (!isMiss(err)) throw err;
      return undefined;
    });
    if (committed) caution = minCaution;
    return committed;
  };

  const commitSlowly = async (
    commands: readonly AuditedCommand[],
    mode: LockMode,
  ): Promise<Committed> => {
    const committed = await (mode === 'wait'
      ? commitLocked(db, commands, openings)
      : commitUnlocked(db, commands, openings));
    if (committed.states) reportFaults(alarms, heads, committed.states);
    return committed;
  };

  return async (commands, mode = 'wait') => {
    try {
      const quick = mode === 'wait' ? await tryQuickly(commands) : undefined;
      const committed = quick ?? (await commitSlowly(commands, mode));
      for (const wallet of committed.changed) heads.set(wallet);
      return committed.answers;
    } catch (err) {
      for (const { id } of distinctWallets(commands)) heads.distrust(id);
      throw err;
    }
  };
}

/** What an operator has to look into; each is called for every commit that meets it. */
export type Alarms = {
  /** A wallet's row and its last entry contradict each other: one of them was edited. */
  onCorrupt(walletId: string): void;
  /** The database has an older state of a wallet than was committed: it was restored, or failed over. */
  onLostCommits(wallet: WalletState, remembered: WalletState): void;
};
const silent: Alarms = { onCorrupt: () => undefined, onLostCommits: () => undefined };

/** What was read under the lock, against what was remembered. */
function reportFaults(alarms: Alarms, heads: WalletCache, { wallets, corrupt }: States): void {
  corrupt.forEach(alarms.onCorrupt);
  for (const wallet of wallets.values()) {
    const known = heads.getCommitted(wallet.id);
    if (!known) continue;
    heads.distrust(wallet.id);
    if (!isLost(wallet, known)) continue;
    alarms.onLostCommits(wallet, known);
    heads.forget(wallet.id);
  }
}

/** True if the database has an older state of a wallet than this, or another one of the same seq. */
const isLost = (wallet: WalletState, known: WalletState): boolean =>
  wallet.seq < known.seq || (wallet.seq === known.seq && wallet.lastHash !== known.lastHash);

/** A wallet that is not open has no row that could prove anything, and is not opened quickly. */
const unopened = new Error('a wallet is not open');

/** Thrown within a transaction, so that it is rolled back. */
const miss = new Error('something was not as it was remembered');

/** A constraint that says so, too: a key used before, a parent undone before, a seq taken. */
const isMiss = (err: unknown): boolean => err === miss || /^2[23]/.test(sqlStateOf(err) ?? '');

async function commitQuickly(
  db: Db,
  heads: WalletCache,
  commands: readonly AuditedCommand[],
): Promise<Committed | undefined> {
  let decided: Decided = { decisions: [], changed: [] };
  const work = async (tx: Tx): Promise<Committed> => {
    const { states, clockMs } = await recall(tx, heads, commands);
    decided = decideBatch(states, commands, clockMs);
    await checkRejected(tx, states, commands, decided.decisions);
    const moves = decided.changed.map((to) => toMove(states, to));
    let answers: readonly Result<AuditedDecision>[] = [];
    await awaitAll([
      checkMoved(tx, moves).then(() => checkMessages(tx, commands)),
      persistDecisions(tx, commands, decided.decisions).then((posted) => (answers = posted)),
    ]);
    return { answers, changed: decided.changed };
  };
  return db.tx(work).catch((err: unknown) => {
    if (isCommitInDoubt(err)) markInDoubt(commands, decided.decisions);
    throw err;
  });
}

/** The states as remembered, and read where they are not; parents are always read. */
async function recall(
  tx: Tx,
  heads: WalletCache,
  commands: readonly Command[],
): Promise<{ readonly states: States; readonly clockMs: number }> {
  const wallets = new Map<string, WalletState>();
  const unknown = distinctWallets(commands).filter((ref) => {
    const known = heads.get(ref.id);
    if (known) wallets.set(ref.id, known);
    return !known;
  });
  const parents = parentsOf(commands);
  const [clockMs, read, entries, undone] = await Promise.all([
    readClock(tx),
    store.readWallets(tx, unknown, 'none'),
    store.readEntries(tx, parents),
    store.readUndone(tx, parents),
  ]);
  for (const wallet of read) {
    const known = heads.getCommitted(wallet.id);
    if (known && isLost(wallet, known)) throw miss;
    wallets.set(wallet.id, wallet);
  }
  const corrupt = await findCorrupt(tx, read);
  // Or it was used between the two reads: with the lock that is certain.
  if (corrupt.size > 0) throw miss;
  return { states: { wallets, entries, undone, refused: new Map(), corrupt }, clockMs };
}

/**
 * A refusal holds if its key was not used before, and if the wallet is as remembered: nothing that
 * is written proves that. The wallet is locked for it: a transaction whose COMMIT hangs still holds
 * it, and may have done what is refused here. A wallet that is not open cannot be locked, and a
 * refused message is kept in the inbox: both are left to `commitLocked`.
 */
async function checkRejected(
  tx: Tx,
  states: States,
  commands: readonly Command[],
  decisions: readonly Decision[],
): Promise<void> {
  const rejected = commands.filter((_command, i) => decisions[i]?.kind === 'rejected');
  if (rejected.length === 0) return;
  if (rejected.some((command) => command.callerClass === 'message')) throw miss;
  // A remembered time may have been corrected in the database since.
  const isAhead = (decision: Decision): boolean =>
    decision.kind === 'rejected' && decision.rejection.reason === 'WALLET_CLOCK_AHEAD';
  if (decisions.some(isAhead)) throw miss;
  const refs = distinctWallets(rejected);
  if (refs.some(({ id }) => !states.wallets.has(id))) throw unopened;
  // The wallets first: a twin that is committed between the two is found.
  const [wallets, twins] = await Promise.all([
    store.readWallets(tx, refs, 'skip'),
    store.readEntries(tx, rejected.map(keyOf)),
  ]);
  const isSame = (wallet: WalletState): boolean => {
    const known = states.wallets.get(wallet.id);
    if (known === undefined || known.aheadAcceptedMs !== wallet.aheadAcceptedMs) return false;
    const isSameState = known.seq === wallet.seq && known.lastHash === wallet.lastHash;
    return (
      isSameState && known.balanceMinor === wallet.balanceMinor && known.status === wallet.status
    );
  };
  if (twins.size > 0 || wallets.length !== refs.length || !wallets.every(isSame)) throw miss;
}

function toMove(states: States, to: WalletState): BalanceUpdate {
  const from = states.wallets.get(to.id);
  if (!from) throw unopened;
  return { from, to };
}

async function checkMoved(tx: Tx, moves: readonly BalanceUpdate[]): Promise<void> {
  if (moves.length > 0 && !(await compareAndSetWallets(tx, moves))) throw miss;
}

/** A message that was refused before gets the same answer again; read when its wallet is locked. */
async function checkMessages(tx: Tx, commands: readonly Command[]): Promise<void> {
  const messages = commands.filter((command) => command.callerClass === 'message');
  if ((await inbox.readRefusals(tx, messages)).size > 0) throw miss;
}
