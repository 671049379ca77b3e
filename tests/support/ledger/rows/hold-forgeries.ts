import { randomId, type Entry, type Hold, type Ledger } from '../ledger-rows.ts';
import { choose } from './building.ts';
import {
  behind,
  forge,
  isLastOfWallet,
  isLastPart,
  rewriteWallet,
  type Forgery,
} from './forgeries.ts';

const isCapture = (entry: Entry): boolean => entry.operation === 8 && entry.amount < 0n;
const isOfSystem = ({ source }: Entry): boolean => source === 3;

const ofWallet = ({ entries }: Ledger, walletId: string): Entry[] =>
  entries.filter((one) => one.wallet_id === walletId);

const holdOf = ({ holds }: Ledger, id: string | null): Hold | undefined =>
  holds.find((hold) => hold.id === id);

/** The hold that an entry uses, and all that uses it. */
function familyOf({ entries }: Ledger, { wallet_id: walletId, parent_id: id }: Entry): Entry[] {
  return entries.filter(
    (one) => one.wallet_id === walletId && (one.id === id || one.parent_id === id),
  );
}

function setExpiry(entry: Entry, micros: bigint): void {
  const metadata = JSON.parse(entry.metadata ?? '{}') as Record<string, string>;
  const expiresAt = new Date(Number(micros / 1_000n)).toISOString();
  entry.metadata = JSON.stringify({ ...metadata, 'dw.expiresAt': expiresAt });
}

/** A hold is used, and from then on it had expired: in the ledger and in the table of holds. */
const useExpired: Forgery = (ledger, random) => {
  const isFit = (entry: Entry): boolean =>
    [8, 9].includes(entry.operation) &&
    !isOfSystem(entry) &&
    (holdOf(ledger, entry.parent_id)?.placed_micros ?? entry.micros) < entry.micros;
  const use = choose(ledger.entries.filter(isFit), random);
  const hold = holdOf(ledger, use?.parent_id ?? null);
  const placed = ledger.entries.find((one) => one.id === hold?.id && one.operation === 7);
  if (!use || !hold || !placed) return undefined;
  setExpiry(placed, use.micros);
  hold.expires_micros = use.micros;
  const own = ofWallet(ledger, use.wallet_id);
  rewriteWallet(ledger, use.wallet_id, own);
  return { places: [use], related: [...familyOf(ledger, use), ...own.slice(-1)] };
};

/** A hold has expired, and goes on to reserve money. */
const keepExpired: Forgery = (ledger, random) => {
  const isFit = (entry: Entry): boolean =>
    isOfSystem(entry) && behind(ledger, entry).some((one) => !isOfSystem(one));
  const release = choose(ledger.entries.filter(isFit), random);
  const hold = holdOf(ledger, release?.parent_id ?? null);
  const wallet = ledger.wallets.find(({ id }) => id === release?.wallet_id);
  if (!release || !hold || !wallet) return undefined;
  const later = behind(ledger, release);
  Object.assign(hold, { state: 'open', used: release.parent_used ?? 0n, closed_micros: null });
  wallet.next_expiry_micros = 0n;
  const own = ofWallet(ledger, wallet.id).filter((one) => one !== release);
  rewriteWallet(ledger, wallet.id, own);
  // What it had set free may have been used.
  return { places: own.slice(-1), related: later };
};

/** More is reserved from then on, which later entries may not have left. */
const withLater = (entry: Entry, ledger: Ledger) => ({
  places: [entry],
  related: [...familyOf(ledger, entry), ...behind(ledger, entry)],
});

export const holdForgeries: Readonly<Record<string, Forgery>> = {
  'forged: use of an expired hold': useExpired,
  'forged: an expired hold goes on': keepExpired,
  'forged: a capture of more than it releases': forge(
    (entry) => isCapture(entry) && entry.held === entry.amount,
    (entry) => (entry.held = (entry.held ?? 0n) + 1n),
    withLater,
  ),
  'forged: a capture that releases a part besides': forge(
    (entry, ledger) =>
      isCapture(entry) && isLastPart(entry, ledger) && (entry.held ?? 0n) < entry.amount - 1n,
    (entry) => (entry.held = (entry.held ?? 0n) + 1n),
    withLater,
  ),
  'forged: a hold of more than there is': (ledger, random) => {
    const isFit = (entry: Entry): boolean => entry.operation === 7 && isLastOfWallet(entry, ledger);
    const entry = choose(ledger.entries.filter(isFit), random);
    const hold = holdOf(ledger, entry?.id ?? null);
    if (!entry || !hold) return undefined;
    const amount = hold.amount + entry.balance_after - (entry.held_after ?? 0n) + 1n;
    hold.amount = entry.held = amount;
    rewriteWallet(ledger, entry.wallet_id, ofWallet(ledger, entry.wallet_id));
    return { places: [entry] };
  },
  'forged: the expiry of a hold': forge(
    (entry) => entry.operation === 7,
    (entry) => setExpiry(entry, entry.micros + 86_400_000_000n),
    (entry, { entries }) => ({
      places: [entry],
      related: entries.filter((one) => one.parent_id === entry.id),
    }),
  ),
  'forged: the account of a hold': forge(
    (entry) => entry.operation === 7,
    (entry) => (entry.contra_account = 'merchant:Bar'),
    (entry, { entries }) => ({
      places: [entry],
      related: entries.filter((one) => one.parent_id === entry.id),
    }),
  ),
  'forged: amount that a payee gets': forge(
    (entry) => entry.operation === 8 && entry.amount > 0n,
    (entry) => (entry.amount += 1n),
    (entry, { entries }) => ({
      places: entries.filter(({ id }) => id === entry.id),
      related: entries.filter((one) => one.parent_id === entry.id),
    }),
  ),
  'forged: the id of the release of an expired hold': (ledger, random) => {
    const entry = choose(ledger.entries.filter(isOfSystem), random);
    if (!entry) return undefined;
    entry.id = randomId(random);
    rewriteWallet(ledger, entry.wallet_id, ofWallet(ledger, entry.wallet_id));
    return { places: [entry] };
  },
  'forged: a deposit by walletd': forge(
    (entry) => entry.operation === 1,
    (entry) => (entry.source = 3),
  ),
};
