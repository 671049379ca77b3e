import type { Random } from '../../../fuzz/random.ts';
import type { EntryRow } from '../../../support/ledger/final-rows.ts';
import { pick, replace, without } from './lists.ts';

// Other entries of a ledger, as a defect would have left them; undefined where there is no place
// for it. What follows from entries is computed again.

/** Two entries of one wallet, the second right after the first, each in the other's place. */
export function swapNeighbours(
  entries: readonly EntryRow[],
  random: Random,
): readonly EntryRow[] | undefined {
  const places = entries.flatMap((entry, i) => {
    const next = entries[i + 1];
    const isPair = next?.wallet_id === entry.wallet_id && next.parent_id !== entry.id;
    return isPair ? i : [];
  });
  const at = pick(random, places);
  if (at === undefined) return undefined;
  const [first, second] = entries.slice(at, at + 2);
  if (!first || !second) return undefined;
  return [...entries.slice(0, at), second, first, ...entries.slice(at + 2)];
}

export const insertUnasked = (
  entries: readonly EntryRow[],
  random: Random,
): readonly EntryRow[] | undefined => {
  const entry = pick(random, entries);
  return entry && [...entries, { ...entry, id: 'unasked', amount: '1', parent_id: null }];
};

export const drop = (
  entries: readonly EntryRow[],
  random: Random,
): readonly EntryRow[] | undefined => {
  const entry = pick(random, entries);
  return entry && without(entries, entry);
};

export const double = (
  entries: readonly EntryRow[],
  random: Random,
): readonly EntryRow[] | undefined => {
  const entry = pick(random, entries);
  return entry && [...entries, entry];
};

/** An entry between two wallets, without its other side. */
export const dropSide = (entries: readonly EntryRow[], random: Random) => {
  const side = pick(
    random,
    entries.filter((entry) => entry.contra_account.startsWith('user:')),
  );
  return side && without(entries, side);
};

/** More is undone of a transaction than there is. */
export const undoTooMuch = (entries: readonly EntryRow[], random: Random) => {
  const undo = pick(
    random,
    entries.filter((entry) => entry.parent_id !== null),
  );
  const parent = entries.find((entry) => entry.id === undo?.parent_id);
  if (!undo || !parent) return undefined;
  const more = { ...undo, amount: String(-2n * BigInt(parent.amount)) };
  return replace(entries, undo, more);
};
