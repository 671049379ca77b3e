import {
  randomId,
  type Entry,
  type Hold,
  type Ledger,
  type Line,
  type Wallet,
} from './ledger-rows.ts';
import { choose } from './rows/building.ts';
import { forgeries, type Forgery } from './rows/forgeries.ts';
import { holdForgeries } from './rows/hold-forgeries.ts';

/** An edit of a ledger's rows in place, and where it must be found. */
export type Edited = {
  readonly name: string;
  readonly places: readonly string[];
  /** Where it may be found besides: other sides, children and parts of what was edited. */
  readonly related: readonly string[];
};

type Pick = { readonly random: () => number; readonly ledger: Ledger };
type Edit = (pick: Pick) => Omit<Edited, 'name'> | undefined;

/** One text for one place. */
export const placeOf = (walletId: string, seq: number | bigint): string => `${walletId} ${seq}`;
const at = ({ wallet_id: walletId, seq }: Entry | Line): string => placeOf(walletId, seq);

/** What has to fit an entry: the other side, parent, children, and children of the same parent. */
function relatedOf({ entries }: Ledger, entry: Entry): string[] {
  const isOf = (one: Entry): boolean =>
    one.id === entry.id ||
    one.parent_id === entry.id ||
    one.id === entry.parent_id ||
    (entry.parent_id !== null && one.parent_id === entry.parent_id);
  return entries.filter(isOf).map(at);
}

const ofEntry =
  (change: (entry: Entry, random: () => number) => void, isFit = (_: Entry) => true): Edit =>
  ({ ledger, random }) => {
    const entry = choose(ledger.entries.filter(isFit), random);
    if (!entry) return undefined;
    const related = relatedOf(ledger, entry);
    change(entry, random);
    return { places: [at(entry)], related };
  };

const ofLine =
  (change: (line: Line) => void): Edit =>
  ({ ledger, random }) => {
    const line = choose(ledger.lines, random);
    if (!line) return undefined;
    change(line);
    return { places: [at(line)], related: [] };
  };

const ofWallet =
  (change: (wallet: Wallet) => void): Edit =>
  ({ ledger, random }) => {
    const wallet = choose(
      ledger.wallets.filter(({ seq, balance }) => seq > 0 && balance !== 0n),
      random,
    );
    if (!wallet) return undefined;
    change(wallet);
    const places = [placeOf(wallet.id, wallet.seq), placeOf(wallet.id, wallet.seq - 1)];
    return { places, related: [] };
  };

const holdPlaces = (hold: Hold, { wallets }: Ledger) => {
  const last = wallets.find(({ id }) => id === hold.wallet_id)?.seq ?? 0;
  // Which open hold expires first is looked at with the wallet's last entry.
  return {
    places: [placeOf(hold.wallet_id, hold.seq)],
    related: [placeOf(hold.wallet_id, last)],
  };
};

/** An edit of the table of holds. */
const ofHold =
  (change: (hold: Hold, ledger: Ledger, random: () => number) => void): Edit =>
  ({ ledger, random }) => {
    const hold = choose(ledger.holds, random);
    if (!hold) return undefined;
    const found = holdPlaces(hold, ledger);
    change(hold, ledger, random);
    return found;
  };

/** An edit of a wallet with an open hold. */
const ofHolder =
  (change: (wallet: Wallet) => void): Edit =>
  ({ ledger, random }) => {
    const wallet = choose(
      ledger.wallets.filter((one) => one.next_expiry_micros !== null),
      random,
    );
    if (!wallet) return undefined;
    change(wallet);
    return { places: [placeOf(wallet.id, wallet.seq)], related: [] };
  };

const ofForgery =
  (forgery: Forgery): Edit =>
  ({ ledger, random }) => {
    const forged = forgery(ledger, random);
    return forged && { places: forged.places.map(at), related: (forged.related ?? []).map(at) };
  };

const zeros = '00'.repeat(32);
const notLast = (ledger: Ledger) => (entry: Entry) =>
  ledger.wallets.some(({ id, seq }) => id === entry.wallet_id && seq > entry.seq);

/** Two entries of a wallet change places. */
const swap: Edit = ({ ledger, random }) => {
  const one = choose(ledger.entries.filter(notLast(ledger)), random);
  const later = ledger.entries.filter((e) => e.wallet_id === one?.wallet_id && e.seq > one.seq);
  const other = choose(later, random);
  if (!one || !other) return undefined;
  const [copy, places] = [{ ...one }, [at(one), at(other)]];
  const related = [...relatedOf(ledger, one), ...relatedOf(ledger, other)];
  Object.assign(one, { ...other, seq: one.seq });
  Object.assign(other, { ...copy, seq: other.seq });
  return { places, related };
};

const remove: Edit = ({ ledger, random }) => {
  const entry = choose(ledger.entries.filter(notLast(ledger)), random);
  if (!entry) return undefined;
  const related = relatedOf(ledger, entry);
  ledger.entries.splice(ledger.entries.indexOf(entry), 1);
  return { places: [at(entry)], related };
};

const cut: Edit = ({ ledger, random }) => {
  const entry = choose(
    ledger.entries.filter((e) => !notLast(ledger)(e)),
    random,
  );
  if (!entry) return undefined;
  const related = relatedOf(ledger, entry);
  ledger.entries.splice(ledger.entries.indexOf(entry), 1);
  return { places: [at(entry)], related };
};

const removeLine: Edit = ({ ledger, random }) => {
  const line = choose(ledger.lines, random);
  if (!line) return undefined;
  ledger.lines.splice(ledger.lines.indexOf(line), 1);
  return { places: [at(line)], related: [] };
};

const edits: Readonly<Record<string, Edit>> = {
  amount: ofEntry((entry) => (entry.amount += entry.amount > 0n ? 1n : -1n)),
  sign: ofEntry(
    (entry) => (entry.amount = -entry.amount),
    ({ amount }) => amount !== 0n,
  ),
  balance: ofEntry((entry) => (entry.balance_after += 1n)),
  description: ofEntry((entry) => (entry.description = `${entry.description ?? ''}!`)),
  metadata: ofEntry((entry) => (entry.metadata = '{"order":"43"}')),
  'time back': ofEntry((entry) => (entry.micros -= 86_400_000_000n)),
  'time forth': ofEntry((entry) => (entry.micros += 86_400_000_000n)),
  'part of a millisecond': ofEntry((entry) => (entry.micros += 1n)),
  actor: ofEntry((entry) => (entry.actor = 'another')),
  source: ofEntry((entry) => (entry.source = 3 - entry.source)),
  'contra account': ofEntry((entry) => (entry.contra_account = 'merchant:Bar')),
  id: ofEntry((entry, random) => (entry.id = randomId(random))),
  operation: ofEntry(
    (entry) => (entry.operation = 5 - entry.operation),
    ({ operation }) => operation === 2 || operation === 3,
  ),
  parent: ofEntry(
    (entry, random) => (entry.parent_id = randomId(random)),
    (entry) => entry.parent_id !== null,
  ),
  'no parent': ofEntry(
    (entry) => (entry.parent_id = null),
    (entry) => entry.parent_id !== null,
  ),
  hash: ofEntry((entry) => (entry.hash = zeros)),
  debited: ofEntry((entry) => (entry.debited_after += 1n)),
  held: ofEntry((entry) => (entry.held = (entry.held ?? 0n) + 1n)),
  'held after': ofEntry((entry) => (entry.held_after = (entry.held_after ?? 0n) + 1n)),
  group: ofEntry((entry, random) => (entry.group_id = randomId(random))),
  'parent used': ofEntry(
    (entry) => (entry.parent_used = (entry.parent_used ?? 0n) + 1n),
    (entry) => entry.parent_id !== null,
  ),
  'parent amount': ofEntry(
    (entry) => (entry.parent_amount = (entry.parent_amount ?? 0n) + 1n),
    (entry) => entry.parent_id !== null,
  ),
  swap,
  remove,
  cut,
  'wallet balance': ofWallet((wallet) => (wallet.balance += 1n)),
  'wallet seq': ofWallet((wallet) => (wallet.seq += 1)),
  'wallet hash': ofWallet((wallet) => (wallet.last_hash = zeros)),
  'wallet time': ofWallet((wallet) => (wallet.last_micros += 1_000n)),
  'wallet debited': ofWallet((wallet) => (wallet.debited += 1n)),
  'wallet held': ofWallet((wallet) => (wallet.held += 1n)),
  'wallet overdraft': ofWallet((wallet) => (wallet.overdraft_limit = 1_000_000_000n)),
  'next expiry': ofHolder((wallet) => (wallet.next_expiry_micros = 2n ** 52n)),
  'no next expiry': ofHolder((wallet) => (wallet.next_expiry_micros = null)),
  'wallet floor': ofWallet((wallet) => (wallet.floor -= 1n)),
  'wallet closed': ofWallet((wallet) => (wallet.status = 'closed')),
  'wallet exponent': ofWallet((wallet) => (wallet.exponent = 3)),
  'line amount': ofLine((line) => (line.amount += 1n)),
  'line description': ofLine((line) => (line.description = `${line.description ?? ''}!`)),
  'line time': ofLine((line) => (line.micros += 1_000n)),
  'line hash': ofLine((line) => (line.hash = zeros)),
  'line link': ofLine((line) => (line.previous_hash = zeros)),
  'line currency': ofLine((line) => (line.currency = 'USD')),
  'line used': ofLine((line) => (line.parent_used = (line.parent_used ?? 0n) + 1n)),
  'line missing': removeLine,
  'hold used': ofHold((hold) => (hold.used = hold.used === 0n ? 1n : hold.used - 1n)),
  'hold captured': ofHold((hold) => (hold.captured += 1n)),
  'hold amount': ofHold((hold) => (hold.amount += 1n)),
  'hold state': ofHold((hold) => (hold.state = hold.state === 'open' ? 'released' : 'open')),
  'hold account': ofHold((hold) => (hold.contra_account = 'merchant:Bar')),
  'hold expiry': ofHold((hold) => (hold.expires_micros += 1_000n)),
  'hold end': ofHold((hold) => (hold.closed_micros = (hold.closed_micros ?? 0n) + 1_000n)),
  'hold start': ofHold((hold) => (hold.placed_micros -= 1_000n)),
  'hold missing': ofHold((hold, { holds }) => void holds.splice(holds.indexOf(hold), 1)),
  'hold extra': ofHold((hold, { holds }, random) => {
    holds.push({ ...hold, id: randomId(random) });
  }),
  'hold of another id': ofHold((hold, _ledger, random) => (hold.id = randomId(random))),
  ...Object.fromEntries(
    Object.entries({ ...forgeries, ...holdForgeries }).map(([name, forgery]) => [
      name,
      ofForgery(forgery),
    ]),
  ),
};

export const editNames = Object.keys(edits);

/** Makes one edit; undefined where the ledger has no row for it. */
export function edit(name: string, ledger: Ledger, random: () => number): Edited | undefined {
  const made = edits[name]?.({ ledger, random });
  return made && { name, ...made };
}
