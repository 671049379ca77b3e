import { readClock, type Tx } from '../../platform/db/db.ts';
import { noRareStates, type Command, type States, type WalletState } from '../domain.ts';
import { findExpiring, readRare, type DefaultLimits, type Lasting } from '../store/rare-states.ts';
import { distinctWallets, findCorrupt, parentsOf } from '../store/states.ts';
import * as store from '../store/store.ts';
import type { WalletCache } from '../store/wallet-cache.ts';

/** Thrown within a transaction, so that it is rolled back. */
export const conflict = new Error('the database differs from the wallet cache');

/**
 * Thrown likewise where only the locked commit can do it, whatever the cache says: a wallet that is
 * not open has no row to compare with, and holds whose time is over are released under the lock.
 */
export const needsLock = new Error('this needs the locks of the wallets');

/**
 * True if the database has an older state of a wallet than this, or another one of the same seq.
 */
export const isLost = (wallet: WalletState, known: WalletState): boolean =>
  wallet.seq < known.seq || (wallet.seq === known.seq && wallet.lastHash !== known.lastHash);

type CachedStates = {
  readonly states: States;
  readonly clockMs: number;
  readonly lasting: Lasting;
};

/** The states in the cache, read where they are not there; parents are always read. */
export async function readCachedStates(
  tx: Tx,
  walletCache: WalletCache,
  commands: readonly Command[],
  defaultLimits: DefaultLimits,
): Promise<CachedStates> {
  const wallets = new Map<string, WalletState>();
  const unknown = distinctWallets(commands).filter((ref) => {
    const known = walletCache.get(ref.id);
    if (known) wallets.set(ref.id, known);
    return !known;
  });
  const parents = parentsOf(commands);
  const [clockMs, read, entries, used] = await Promise.all([
    readClock(tx),
    store.readWallets(tx, unknown, 'none'),
    store.readEntries(tx, parents),
    store.readUsed(tx, parents),
  ]);
  const isRead = new Set<string>();
  for (const wallet of read) {
    const known = walletCache.getCommitted(wallet.id);
    if (known && isLost(wallet, known)) throw conflict;
    wallets.set(wallet.id, wallet);
    isRead.add(wallet.id);
  }
  const corrupt = await findCorrupt(tx, read);
  // Or it was used between the two reads: with the lock that is certain.
  if (corrupt.size > 0) throw conflict;
  if (findExpiring(wallets, clockMs).length > 0) throw needsLock;
  const recall = (id: string) => (isRead.has(id) ? undefined : walletCache.getAnchors(id));
  const rare = await readRare(tx, commands, wallets, clockMs, defaultLimits, recall);
  const { due } = noRareStates;
  const states = { ...rare, due, wallets, entries, used, refused: new Map(), corrupt };
  return { states, clockMs, lasting: rare.lasting };
}
