import type { Result } from '../../core/reasons.ts';
import { isCommitInDoubt, isLockTimeout, readClock, type Db, type Tx } from '../platform/db.ts';
import type { Busy } from './commit/queued.ts';
import { newWallet, opensWallet, type States, type WalletRef, type WalletState } from './domain.ts';
import { decideBatch } from './domain-batch.ts';
import type { Posted, Posting } from './posting.ts';
import { distinctWallets, readStates } from './states.ts';
import { readWallets, waitBriefly } from './store.ts';
import { openWallets, updateWallets } from './store-writes.ts';
import { rememberDoubt, writeDecisions, type Decided } from './write-decisions.ts';

/** What a commit did: an answer for each command, and the wallets as they are after it. */
export type Committed = {
  readonly answers: readonly (Result<Posted> | Busy)[];
  readonly changed: readonly WalletState[];
  /** What was read of the wallets; none where nothing was. */
  readonly states?: States;
  /** To be called if its callers do not get these answers, and the same commands go again. */
  readonly rememberDoubt?: () => void;
};

/** The wallets of a batch that are locked, and those that are not to be had. */
type Locked = { readonly wallets: readonly WalletState[]; readonly busy: ReadonlySet<string> };
type LockWallets = (tx: Tx, commands: readonly Posting[]) => Promise<Locked>;

/**
 * Commits a batch in one transaction: open, lock, read, decide, write, with its outbox row and its
 * lines in the audit log. After a lost answer to COMMIT the same commands are committed again.
 */
export const commitLocked = (db: Db, commands: readonly Posting[]): Promise<Committed> =>
  commitWith(db, commands, lockAll);

/**
 * The same without the commands whose wallets another transaction has locked: their answer is
 * `busy`. Wallets are opened by an insert, which cannot skip what another transaction inserts at the
 * moment: where one has to wait, each of them is opened by itself, and only briefly waited for.
 */
export async function commitUnlocked(db: Db, commands: readonly Posting[]): Promise<Committed> {
  try {
    return await commitWith(db, commands, lockFree);
  } catch (err) {
    if (!isLockTimeout(err)) throw err;
  }
  const first = await commitWith(db, commands, lockKnown);
  const done = [first];
  const answers = [...first.answers];
  for (const ref of distinctWallets(commands.filter((c, i) => isLeft(c, answers[i])))) {
    const places = commands.flatMap((c, i) => (c.wallet.id === ref.id ? [i] : []));
    const own = commands.filter((c) => c.wallet.id === ref.id);
    const opened = await commitWith(db, own, lockBriefly).catch((err: unknown) => {
      if (isLockTimeout(err)) return undefined;
      for (const committed of done) committed.rememberDoubt?.();
      throw err;
    });
    if (!opened) continue;
    done.push(opened);
    places.forEach((place, i) => (answers[place] = opened.answers[i] ?? 'busy'));
  }
  return { ...first, answers, changed: done.flatMap(({ changed }) => changed) };
}

const isLeft = (command: Posting, answer: Result<Posted> | Busy | undefined): boolean =>
  answer === 'busy' && opensWallet(command);

async function commitWith(
  db: Db,
  commands: readonly Posting[],
  lock: LockWallets,
): Promise<Committed> {
  let decided: Decided = { decisions: [], changed: [] };
  let free: readonly Posting[] = [];
  const work = async (tx: Tx): Promise<Committed> => {
    const { wallets, busy } = await lock(tx, commands);
    free = busy.size === 0 ? commands : commands.filter(({ wallet }) => !busy.has(wallet.id));
    const states = await readStates(tx, free, wallets);
    decided = decideBatch(states, free, await readClock(tx));
    const { changed } = decided;
    if (changed.length > 0) await updateWallets(tx, changed);
    const posted = await writeDecisions(tx, free, decided.decisions);
    let next = 0;
    const answers = commands.map(({ wallet }): Result<Posted> | Busy =>
      busy.has(wallet.id) ? 'busy' : (posted[next++] ?? 'busy'),
    );
    return { answers, changed, states, rememberDoubt: remember };
  };
  const remember = (): void => rememberDoubt(free, decided.decisions);
  return db.tx(work).catch((err: unknown) => {
    if (isCommitInDoubt(err)) remember();
    throw err;
  });
}

const none: ReadonlySet<string> = new Set();

const lockAll: LockWallets = async (tx, commands) => {
  await openWallets(tx, distinctWallets(commands.filter(opensWallet)).map(newWallet));
  return { wallets: await readWallets(tx, distinctWallets(commands), 'wait'), busy: none };
};

/** Those that exist and are free, and those that were not there. */
const lockFree: LockWallets = async (tx, commands) => {
  const known = await lockExisting(tx, commands);
  const absent = new Set(known.absent.map(({ id }) => id));
  const toOpen = distinctWallets(commands.filter(opensWallet)).filter(({ id }) => absent.has(id));
  await openWallets(tx, toOpen.map(newWallet));
  const opened = await readWallets(tx, toOpen, 'skip');
  return { wallets: [...known.wallets, ...opened], busy: difference(known.busy, toOpen, opened) };
};

/** Those that exist and are free; what would open a wallet waits. */
const lockKnown: LockWallets = async (tx, commands) => {
  const known = await lockExisting(tx, commands);
  const absent = new Set(known.absent.map(({ id }) => id));
  const toOpen = distinctWallets(commands.filter(opensWallet)).filter(({ id }) => absent.has(id));
  return { wallets: known.wallets, busy: difference(known.busy, toOpen, []) };
};

const lockBriefly: LockWallets = async (tx, commands) => {
  await waitBriefly(tx);
  return lockFree(tx, commands);
};

/** Opened wallets, as far as they are free; `absent` are those that nobody has opened. */
async function lockExisting(tx: Tx, commands: readonly Posting[]) {
  const refs = distinctWallets(commands);
  const wallets = await readWallets(tx, refs, 'skip');
  const ids = new Set(wallets.map(({ id }) => id));
  const left = refs.filter(({ id }) => !ids.has(id));
  const seen = await readWallets(tx, left, 'none');
  const busy = new Set(seen.map(({ id }) => id));
  return { wallets, busy, absent: left.filter(({ id }) => !busy.has(id)) };
}

function difference(
  busy: ReadonlySet<string>,
  asked: readonly WalletRef[],
  had: readonly WalletState[],
): ReadonlySet<string> {
  const ids = new Set(had.map(({ id }) => id));
  return new Set([...busy, ...asked.map(({ id }) => id).filter((id) => !ids.has(id))]);
}
