import type { Result } from '../../core/reasons.ts';
import { isCommitInDoubt, readClock, sqlStateOf, type Db, type Tx } from '../platform/db.ts';
import { commitLocked, type Committed } from './commit-locked.ts';
import {
  decideBatch,
  type Command,
  type Decision,
  type States,
  type WalletState,
} from './domain.ts';
import { createHeads, type Heads } from './heads.ts';
import * as inbox from './inbox.ts';
import type { Posted, Posting } from './posting.ts';
import * as store from './store.ts';
import { distinctWallets, keyOf, parentsOf } from './states.ts';
import { moveWallets, type Move } from './store-writes.ts';
import { all, rememberDoubt, writeDecisions, type Decided } from './write-decisions.ts';

/** After a miss so many batches are committed with locks, and twice as many after the next miss. */
const minCaution = 1;
const maxCaution = 64;

/**
 * Commits batches, quickly where it can: decides from the wallets' states as they were remembered,
 * and lets the one statement that moves the wallets prove that they still are so. Whatever is not
 * as remembered (another daemon, a key that was used before, a freeze, a past that was just told)
 * is rolled back and committed again by `commitLocked`, which reads everything under the lock.
 */
export function createCommit(
  db: Db,
  heads: Heads = createHeads(),
): (commands: readonly Posting[]) => Promise<readonly Result<Posted>[]> {
  let caution = minCaution;
  let cautious = 0;

  const tryQuickly = async (commands: readonly Posting[]): Promise<Committed | undefined> => {
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

  return async (commands) => {
    try {
      const committed = (await tryQuickly(commands)) ?? (await commitLocked(db, commands));
      for (const wallet of committed.changed) heads.set(wallet);
      return committed.answers;
    } catch (err) {
      for (const { wallet } of commands) heads.forget(wallet.id);
      throw err;
    }
  };
}

/** A wallet that is not open has no row that could prove anything, and is not opened quickly. */
const unopened = new Error('a wallet is to be opened');

/** Thrown within a transaction, so that it is rolled back. */
const miss = new Error('something was not as it was remembered');

/** A constraint that says so, too: a key used before, a parent undone before, a seq taken. */
const isMiss = (err: unknown): boolean => err === miss || /^2[23]/.test(sqlStateOf(err) ?? '');

async function commitQuickly(
  db: Db,
  heads: Heads,
  commands: readonly Posting[],
): Promise<Committed | undefined> {
  let decided: Decided = { decisions: [], changed: [] };
  const work = async (tx: Tx): Promise<Committed> => {
    const { states, clockMs } = await recall(tx, heads, commands);
    decided = decideBatch(states, commands, clockMs);
    await checkRejected(tx, states, commands, decided.decisions);
    const moves = decided.changed.map((to) => toMove(states, to));
    let answers: readonly Result<Posted>[] = [];
    await all([
      checkMoved(tx, moves, clockMs).then(() => checkMessages(tx, commands)),
      writeDecisions(tx, commands, decided.decisions).then((posted) => (answers = posted)),
    ]);
    return { answers, changed: decided.changed };
  };
  return db.tx(work).catch((err: unknown) => {
    if (isCommitInDoubt(err)) rememberDoubt(commands, decided.decisions);
    throw err;
  });
}

/** The states as remembered, and read where they are not; parents are always read. */
async function recall(
  tx: Tx,
  heads: Heads,
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
    store.readWallets(tx, unknown, false),
    store.readEntries(tx, parents),
    store.readUndone(tx, parents),
  ]);
  for (const wallet of read) wallets.set(wallet.id, wallet);
  return { states: { wallets, entries, undone, refused: new Map() }, clockMs };
}

/**
 * A refusal holds if its key was not used before, and if the wallet is as remembered: nothing that
 * is written proves that. One of a message is kept in the inbox, which needs the lock.
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
  const refs = distinctWallets(rejected);
  // The wallets first: a twin that is committed between the two is found.
  const [wallets, twins] = await Promise.all([
    store.readWallets(tx, refs, false),
    store.readEntries(tx, rejected.map(keyOf)),
  ]);
  const isSame = (wallet: WalletState): boolean => {
    const known = states.wallets.get(wallet.id);
    return known?.seq === wallet.seq && known.status === wallet.status;
  };
  const known = refs.filter(({ id }) => states.wallets.has(id));
  if (twins.size > 0 || wallets.length !== known.length || !wallets.every(isSame)) throw miss;
}

function toMove(states: States, to: WalletState): Move {
  const from = states.wallets.get(to.id);
  if (!from) throw unopened;
  return { from, to };
}

async function checkMoved(tx: Tx, moves: readonly Move[], clockMs: number): Promise<void> {
  if (moves.length > 0 && !(await moveWallets(tx, moves, clockMs))) throw miss;
}

/** A message that was refused before gets the same answer again; read when its wallet is locked. */
async function checkMessages(tx: Tx, commands: readonly Command[]): Promise<void> {
  const messages = commands.filter((command) => command.callerClass === 'message');
  if ((await inbox.readRefusals(tx, messages)).size > 0) throw miss;
}
