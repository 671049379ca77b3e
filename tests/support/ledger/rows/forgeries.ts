import { absolute, enter, newWallet, type Entry, type Ledger } from '../ledger-rows.ts';
import { choose } from './building.ts';

/** Where a forgery must be found, and where it may be found besides. */
type Forged = { readonly places: readonly Entry[]; readonly related?: readonly Entry[] };

/**
 * A change after which everything of the wallet was computed again: numbers, sums, hashes, the row
 * of the wallet, and the lines. Only what an entry has to do with others can show it.
 */
export type Forgery = (ledger: Ledger, random: () => number) => Forged | undefined;

/** Writes a wallet's entries again, as if they had always been these. */
export function rewriteWallet(ledger: Ledger, walletId: string, entries: readonly Entry[]): void {
  const wallet = ledger.wallets.find(({ id }) => id === walletId);
  if (!wallet) throw new Error(`there is no wallet ${walletId}`);
  const { next_expiry_micros } = wallet;
  Object.assign(wallet, newWallet(walletId, wallet.user_id), { next_expiry_micros });
  const lines = entries.map((entry) => enter(wallet, entry));
  for (const hold of ledger.holds) {
    const placed = entries.find(({ id }) => id === hold.id);
    if (placed && hold.wallet_id === walletId) hold.seq = placed.seq;
  }
  ledger.entries = replace(ledger.entries, walletId, entries);
  ledger.lines = replace(ledger.lines, walletId, lines);
}

/** The rows with those of one wallet replaced, in order of wallet. */
function replace<Row extends { readonly wallet_id: string }>(
  rows: readonly Row[],
  walletId: string,
  own: readonly Row[],
): Row[] {
  const before = rows.filter((row) => row.wallet_id < walletId);
  return [...before, ...own, ...rows.filter((row) => row.wallet_id > walletId)];
}

/** Changes a fitting entry, and writes its wallet again. */
export const forge =
  (
    isFit: (entry: Entry, ledger: Ledger) => boolean,
    change: (entry: Entry) => void,
    findPlaces: (entry: Entry, ledger: Ledger) => Forged = (entry) => ({ places: [entry] }),
  ): Forgery =>
  (ledger, random) => {
    const entry = choose(
      ledger.entries.filter((one) => isFit(one, ledger)),
      random,
    );
    if (!entry) return undefined;
    change(entry);
    const own = ledger.entries.filter((one) => one.wallet_id === entry.wallet_id);
    rewriteWallet(ledger, entry.wallet_id, own);
    return findPlaces(entry, ledger);
  };

/** Takes a fitting debit out, and writes its wallet again: no balance falls by it. */
const leaveOut =
  (isFit: (entry: Entry, ledger: Ledger) => boolean): Forgery =>
  (ledger, random) => {
    const entry = choose(
      ledger.entries.filter((one) => one.amount < 0n && isFit(one, ledger)),
      random,
    );
    if (!entry) return undefined;
    const { wallet_id: walletId } = entry;
    const isOwn = (one: Entry): boolean => one.wallet_id === walletId && one !== entry;
    rewriteWallet(ledger, walletId, ledger.entries.filter(isOwn));
    return { places: ledger.entries.filter(({ id }) => id === entry.id) };
  };

/** The entries of its wallet behind one, and what refers to it. */
export const behind = ({ entries }: Ledger, entry: Entry): Entry[] =>
  entries.filter(
    (one) =>
      one.parent_id === entry.id || (one.wallet_id === entry.wallet_id && one.seq > entry.seq),
  );

const bothSides = (entry: Entry, { entries }: Ledger): Forged => ({
  places: entries.filter(({ id }) => id === entry.id),
});

const isOfTransfer = ({ contra_account: account }: Entry): boolean => account.startsWith('user:');
const isAlone = (entry: Entry, { entries }: Ledger): boolean =>
  entries.every((one) => one.parent_id !== entry.id);
const isUndo = ({ operation }: Entry): boolean => operation === 4 || operation === 5;
/** No child of its parent has a later place. */
export const isLastPart = (entry: Entry, { entries }: Ledger): boolean =>
  entry.parent_id !== null &&
  entries.every(
    (one) =>
      one.parent_id !== entry.parent_id || (one.parent_used ?? 0n) <= (entry.parent_used ?? 0n),
  );
export const isLastOfWallet = (entry: Entry, { entries }: Ledger): boolean =>
  entries.every((one) => one.wallet_id !== entry.wallet_id || one.seq <= entry.seq);
const leftBehind = (entry: Entry): bigint =>
  (entry.parent_amount ?? 0n) - (entry.parent_used ?? 0n) - absolute(entry.amount);

const stranger = 'user:6f1c3f3e-0000-4000-8000-00000000ffff';

export const forgeries: Readonly<Record<string, Forgery>> = {
  'forged: one side of a transfer': leaveOut(
    (entry, ledger) => entry.operation === 6 && isAlone(entry, ledger),
  ),
  'forged: one side of an undo': leaveOut(
    (entry, ledger) => isOfTransfer(entry) && isUndo(entry) && isLastPart(entry, ledger),
  ),
  'forged: amount of one side': forge(
    (entry, ledger) => entry.operation === 6 && entry.amount > 0n && isAlone(entry, ledger),
    (entry) => (entry.amount += 1n),
    bothSides,
  ),
  'forged: payer': forge(
    (entry, ledger) => entry.operation === 6 && entry.amount > 0n && isAlone(entry, ledger),
    (entry) => (entry.contra_account = stranger),
    bothSides,
  ),
  'forged: payer outside': forge(
    (entry, ledger) => entry.operation === 6 && entry.amount > 0n && isAlone(entry, ledger),
    (entry) => Object.assign(entry, { operation: 1, contra_account: 'external:cash' }),
    (entry, { entries }) => ({
      places: entries.filter((one) => one.id === entry.id && one !== entry),
      related: [entry],
    }),
  ),
  'forged: more than the parent': forge(
    (entry, ledger) => entry.amount > 0n && !isOfTransfer(entry) && isLastPart(entry, ledger),
    (entry) => (entry.amount += leftBehind(entry) + 1n),
  ),
  'forged: place of a part': forge(
    (entry, ledger) =>
      isUndo(entry) && !isOfTransfer(entry) && isLastPart(entry, ledger) && leftBehind(entry) > 0n,
    (entry) => (entry.parent_used = (entry.parent_used ?? 0n) + 1n),
  ),
  'forged: account of an undo': forge(
    (entry) => isUndo(entry) && !isOfTransfer(entry),
    (entry) => (entry.contra_account = 'external:elsewhere'),
  ),
  'forged: account of a deposit': forge(
    (entry, ledger) => entry.operation === 1 && isAlone(entry, ledger),
    (entry) => (entry.contra_account = 'merchant:Bar'),
  ),
  'forged: below zero': forge(
    (entry) => [2, 3].includes(entry.operation) && entry.amount < 0n,
    (entry) => (entry.amount -= absolute(entry.balance_after) + 1n),
    (entry, ledger) => ({ places: [entry], related: behind(ledger, entry) }),
  ),
};
