import type { Result } from '../../../core/reasons.ts';
import {
  isCommitInDoubt,
  sqlStateOf,
  type Db,
  type SendCommit,
  type Tx,
} from '../../platform/db/db.ts';
import { conflict, isLost, needsLock, readCachedStates } from './cached-states.ts';
import { createInDoubtCommits } from './in-doubt-commits.ts';
import {
  commitLocked,
  commitUnlocked,
  type CommitContext,
  type Committed,
} from './locked-commit.ts';
import type { Busy, LockMode } from './commit-items.ts';
import { createWalletOpenings } from './wallet-openings.ts';
import type { Command, Decision, States, WalletState } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { createWalletCache, type WalletCache } from '../store/wallet-cache.ts';
import * as inbox from '../store/inbox.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import * as store from '../store/store.ts';
import { noDefaultLimits, type DefaultLimits, type Lasting } from '../store/rare-states.ts';
import { distinctWallets, keyOf } from '../store/states.ts';
import { compareAndSetWallets, type BalanceUpdate } from '../store/writes.ts';
import { awaitAll, nothingDecided, sendDecisions } from './persist-decisions.ts';

/** After a conflict so many batches are committed with locks; twice as many after the next one. */
const minBackOff = 1;
const maxBackOff = 64;

type Commit = (
  commands: readonly AuditedCommand[],
  mode?: LockMode,
) => Promise<readonly (Result<AuditedDecision> | Busy)[]>;

/**
 * Optimistic commit with compare-and-set and pessimistic fallback. It decides from the states in
 * the wallet cache, and the statement that updates the wallets compares them with these states.
 * After a conflict (another daemon, a key that was used before, a freeze, a raised read watermark)
 * it rolls back and commits with `commitLocked`, which reads everything under the locks of the
 * wallets. The back-off commits the next batches with locks too.
 *
 * With `skip`, commands on wallets that another transaction has locked are left out, as `busy`;
 * without it, only refusals on a wallet that another transaction is opening.
 */
export function createOptimisticCommit(
  db: Db,
  walletCache: WalletCache = createWalletCache(),
  alarms: Alarms = silent,
  defaultLimits: DefaultLimits = noDefaultLimits,
): Commit {
  const openings = createWalletOpenings();
  const context = { db, openings, inDoubt: createInDoubtCommits(), defaultLimits };
  let backOff = minBackOff;
  let lockedBatchesLeft = 0;

  const tryOptimistic = async (
    commands: readonly AuditedCommand[],
  ): Promise<Committed | undefined> => {
    // The floor of a wallet is lowered under its lock, and what has expired is released there.
    if (
      commands.some(({ more, callerClass }) => more?.isForced === true || callerClass === 'system')
    )
      return undefined;
    if (lockedBatchesLeft > 0) {
      lockedBatchesLeft -= 1;
      return undefined;
    }
    const attempt = commitOptimistic(context, walletCache, commands);
    const committed = await attempt.catch((err: unknown) => {
      if (err === needsLock) return undefined;
      // Also after an in-doubt commit: the next attempt will find what was done.
      lockedBatchesLeft = backOff;
      backOff = Math.min(maxBackOff, 2 * backOff);
      if (!isConflict(err)) throw err;
      return undefined;
    });
    if (committed) backOff = minBackOff;
    return committed;
  };

  const commitWithLocks = async (
    commands: readonly AuditedCommand[],
    mode: LockMode,
  ): Promise<Committed> => {
    const committed = await (mode === 'wait'
      ? commitLocked(context, commands)
      : commitUnlocked(context, commands));
    if (committed.states) reportFaults(alarms, walletCache, committed.states);
    return committed;
  };

  return async (commands, mode = 'wait') => {
    try {
      const optimistic = mode === 'wait' ? await tryOptimistic(commands) : undefined;
      const committed = optimistic ?? (await commitWithLocks(commands, mode));
      for (const wallet of committed.changed) walletCache.set(wallet);
      if (committed.lasting) rememberAnchors(walletCache, committed.lasting);
      return committed.answers;
    } catch (err) {
      for (const { id } of distinctWallets(commands)) walletCache.markStale(id);
      throw err;
    }
  };
}

/** What an operator has to look into; each is called for every commit that meets it. */
export type Alarms = {
  /** A wallet's row and its last entry contradict each other: one of them was edited. */
  onCorrupt(walletId: string): void;
  /**
   * The database has an older state of a wallet than was committed: it was restored, or failed
   * over.
   */
  onLostCommits(wallet: WalletState, remembered: WalletState): void;
};
const silent: Alarms = { onCorrupt: () => undefined, onLostCommits: () => undefined };

/** Compares what was read under the lock with the wallet cache. */
function reportFaults(
  alarms: Alarms,
  walletCache: WalletCache,
  { wallets, corrupt }: States,
): void {
  corrupt.forEach(alarms.onCorrupt);
  for (const wallet of wallets.values()) {
    const known = walletCache.getCommitted(wallet.id);
    if (!known) continue;
    walletCache.markStale(wallet.id);
    if (!isLost(wallet, known)) continue;
    alarms.onLostCommits(wallet, known);
    walletCache.forget(wallet.id);
  }
}

/** Also a violated constraint: a key used before, a parent undone before, a seq taken. */
const isConflict = (err: unknown): boolean =>
  err === conflict || /^2[23]/.test(sqlStateOf(err) ?? '');

/** No later entry can come before a window in which the wallet has one already. */
function rememberAnchors(walletCache: WalletCache, lasting: Lasting): void {
  for (const [id, { anchors, startsAtMs }] of lasting) {
    const wallet = walletCache.get(id);
    if (wallet && wallet.lastAtMs >= startsAtMs) walletCache.setAnchors(id, anchors);
  }
}

async function commitOptimistic(
  { db, inDoubt, defaultLimits }: CommitContext,
  walletCache: WalletCache,
  commands: readonly AuditedCommand[],
): Promise<Committed | undefined> {
  let decided = nothingDecided;
  const work = async (tx: Tx, sendCommit: SendCommit): Promise<Committed> => {
    const { states, clockMs, lasting } = await readCachedStates(
      tx,
      walletCache,
      commands,
      defaultLimits,
    );
    decided = decideBatch(states, commands, clockMs);
    const rejected = findRejected(states, commands, decided.decisions);
    const updates = decided.changed.map((to) => toUpdate(states, to));
    // Sent in this order: only the first waits for locks, and then nothing of it is locked yet.
    const compared = compareAndSetWallets(tx, updates);
    // A message that was refused before gets the same answer again; its wallet is locked by now.
    const checked = inbox.requireNew(tx, commands.filter(isMessage));
    const proven = checkRejected(tx, states, decided.changed, rejected);
    const { answers, written } = sendDecisions(tx, commands, decided, inDoubt);
    // Each of the writes fails by itself where nothing may be committed. A refusal is looked at.
    if (rejected.length === 0) sendCommit();
    await awaitAll([compared, checked, proven, written]);
    return { answers, changed: decided.changed, lasting };
  };
  return db.tx(work).catch((err: unknown) => {
    if (isCommitInDoubt(err)) inDoubt.add(commands, decided.decisions);
    throw err;
  });
}

/** The refused commands: no write compares these. Throws if `commitLocked` has to refuse them. */
function findRejected(
  states: States,
  commands: readonly Command[],
  decisions: readonly Decision[],
): readonly Command[] {
  const rejected = commands.filter((_command, i) => decisions[i]?.kind === 'rejected');
  if (rejected.some(isMessage)) throw conflict;
  // A time in the cache may have been corrected in the database since.
  const isAhead = (decision: Decision): boolean =>
    decision.kind === 'rejected' && decision.rejection.reason === 'WALLET_CLOCK_AHEAD';
  if (decisions.some(isAhead)) throw conflict;
  if (distinctWallets(rejected).some(({ id }) => !states.wallets.has(id))) throw needsLock;
  return rejected;
}

/**
 * A refusal is right if its key was not used before, and if the wallet is as it was decided on,
 * with what this commit wrote. The wallet is locked for it: a transaction whose COMMIT hangs still
 * has it locked, and may have done what is refused here. This lock is not waited for, and comes
 * after those that are: the other way round two commits could wait for each other. A wallet that is
 * not open cannot be locked, and a refused message is kept in the inbox: `commitLocked` has both.
 */
async function checkRejected(
  tx: Tx,
  states: States,
  changed: readonly WalletState[],
  rejected: readonly Command[],
): Promise<void> {
  if (rejected.length === 0) return;
  const refs = distinctWallets(rejected);
  const expected = new Map([...states.wallets, ...changed.map((to) => [to.id, to] as const)]);
  // The wallets first: a twin that is committed between the two is found.
  const [wallets, twins] = await Promise.all([
    store.readWallets(tx, refs, 'skip'),
    store.readEntries(tx, rejected.map(keyOf)),
  ]);
  const isSame = (wallet: WalletState): boolean => {
    const known = expected.get(wallet.id);
    if (known === undefined || known.aheadAcceptedMs !== wallet.aheadAcceptedMs) return false;
    const isSameState = known.seq === wallet.seq && known.lastHash === wallet.lastHash;
    return (
      isSameState &&
      known.balanceMinor === wallet.balanceMinor &&
      known.terms.no === wallet.terms.no
    );
  };
  if (twins.size > 0 || wallets.length !== refs.length || !wallets.every(isSame)) throw conflict;
}

const isMessage = ({ callerClass }: Command): boolean => callerClass === 'message';

function toUpdate(states: States, to: WalletState): BalanceUpdate {
  const from = states.wallets.get(to.id);
  if (!from) throw needsLock;
  return { from, to };
}
