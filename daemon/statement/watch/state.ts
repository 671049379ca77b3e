import { walletIdOf } from '../../../core/ids.ts';
import { refuse, type Result } from '../../../core/reasons.ts';
import type { Line } from '../domain.ts';
import type { Finding } from '../witness/lines.ts';
import { encodeCursor, maxWallets, type WatchScope } from './cursor.ts';
import { firstSeqOf, moveTo, type Position } from './positions.ts';
import type { AskedPlace, WatchedWallet } from './store.ts';

export type WatchState = ReturnType<typeof createWatchState>;

/** Where one watch stands, and what it should look at next. */
export function createWatchState(scope: WatchScope, start: readonly Position[]) {
  const positions = new Map(start.map((position) => [position.walletId, position]));
  /** What was said of wallets that are held back. */
  const told = new Map<string, string>();
  // Wallets may have been opened, and lines stored, since the start was read.
  const due = new Set(positions.keys());
  let mayHaveOthers = true;
  return {
    scope,
    listPlaces: (): AskedPlace[] => [...positions.values()].map(toPlace),
    encodeCursor: (): string => encodeCursor(scope, positions.values()),
    /** There may be lines of a wallet. False if they are not for this watch. */
    note: (walletId: string): boolean => {
      const isKnown = positions.has(walletId);
      const { onlyWalletId = walletId } = scope;
      if (!isKnown && onlyWalletId !== walletId) return false;
      if (isKnown) due.add(walletId);
      else mayHaveOthers = true;
      return true;
    },
    isDue: (): boolean => due.size > 0 || mayHaveOthers,
    /** True once after wallets may have been opened that this watch does not know. */
    takeOthers: (): boolean => {
      const taken = mayHaveOthers;
      mayHaveOthers = false;
      return taken;
    },
    /** Includes wallets that were opened since the start. False if they are too many. */
    add: (wallets: readonly WatchedWallet[]): boolean => {
      for (const position of wallets.filter(isOfOwner).map(beforeFirst)) {
        if (positions.has(position.walletId)) continue;
        positions.set(position.walletId, position);
        due.add(position.walletId);
      }
      return positions.size <= maxWallets;
    },
    /** The wallets that may have new lines, once. */
    takeDue: (): Position[] => {
      const taken = [...due].flatMap((walletId) => positions.get(walletId) ?? []);
      due.clear();
      return taken;
    },
    set: (position: Position): void => {
      positions.set(position.walletId, position);
    },
    /** These lines of a wallet are about to be sent. */
    move: (position: Position, lines: readonly Line[]): void => {
      const last = lines.at(-1);
      if (!last) return;
      positions.set(position.walletId, moveTo(position, last));
      told.delete(position.walletId);
    },
    /** True where this has not been said of the wallet yet. */
    tell: ({ walletId }: Position, { kind, seq }: Finding): boolean => {
      const text = `${kind} ${seq}`;
      const isNew = told.get(walletId) !== text;
      told.set(walletId, text);
      return isNew;
    },
  };
}

export const toPlace = (position: Position): AskedPlace => ({
  walletId: position.walletId,
  userId: position.userId,
  firstSeq: firstSeqOf(position),
});

/** The id follows from owner and currency: a line that says otherwise was changed by hand. */
const isOfOwner = ({ walletId, userId, currency }: WatchedWallet): boolean =>
  walletIdOf(userId, currency) === walletId;

const beforeFirst = ({ walletId, userId, currency }: WatchedWallet): Position => ({
  ...{ walletId, userId, currency },
  ...{ seq: 0n, hash: '', isConfirmed: true },
});

/**
 * Where a watch begins: at the last line of each wallet, or where its cursor says. A wallet that
 * the cursor does not have was opened later.
 */
export function findStart(
  wallets: readonly WatchedWallet[],
  cursor: readonly Position[] | undefined,
): readonly Position[] {
  const owned = wallets.filter(isOfOwner);
  if (!cursor) return owned.map((wallet) => ({ ...wallet, isConfirmed: true }));
  const known = new Set(cursor.map(({ walletId }) => walletId));
  return [...cursor, ...owned.filter(({ walletId }) => !known.has(walletId)).map(beforeFirst)];
}

export const tooManyWallets: Extract<Result<never>, { ok: false }> = refuse(
  'INVALID_ARGUMENT',
  `the users have more than ${maxWallets} wallets: name fewer users`,
  { field: 'user_ids', limit: String(maxWallets) },
);
