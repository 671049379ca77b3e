import { randomId, type Entry, type Ledger, type Line, type Wallet } from './ledger-rows.ts';

/** An edit of a ledger's rows in place, and the place where it must be found. */
export type Edited = { readonly name: string; readonly places: readonly string[] };

type Pick = { readonly random: () => number; readonly ledger: Ledger };
type Edit = (pick: Pick) => readonly string[] | undefined;

/** One text for one place. */
export const placeOf = (walletId: string, seq: number | bigint): string => `${walletId} ${seq}`;
const at = ({ wallet_id: walletId, seq }: Entry | Line): string => placeOf(walletId, seq);

function choose<T>(rows: readonly T[], random: () => number): T | undefined {
  return rows[Math.floor(random() * rows.length)];
}

const ofEntry =
  (change: (entry: Entry, random: () => number) => void, isFit = (_: Entry) => true): Edit =>
  ({ ledger, random }) => {
    const entry = choose(ledger.entries.filter(isFit), random);
    if (!entry) return undefined;
    change(entry, random);
    return [at(entry)];
  };

const ofLine =
  (change: (line: Line) => void): Edit =>
  ({ ledger, random }) => {
    const line = choose(ledger.lines, random);
    if (!line) return undefined;
    change(line);
    return [at(line)];
  };

const ofWallet =
  (change: (wallet: Wallet) => void): Edit =>
  ({ ledger, random }) => {
    const wallet = choose(
      ledger.wallets.filter(({ seq }) => seq > 0),
      random,
    );
    if (!wallet) return undefined;
    change(wallet);
    return [placeOf(wallet.id, wallet.seq), placeOf(wallet.id, wallet.seq - 1)];
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
  Object.assign(one, { ...other, seq: one.seq });
  Object.assign(other, { ...copy, seq: other.seq });
  return places;
};

const remove: Edit = ({ ledger, random }) => {
  const entry = choose(ledger.entries.filter(notLast(ledger)), random);
  if (!entry) return undefined;
  ledger.entries.splice(ledger.entries.indexOf(entry), 1);
  return [at(entry)];
};

const cut: Edit = ({ ledger, random }) => {
  const entry = choose(ledger.entries.filter((e) => !notLast(ledger)(e)), random);
  if (!entry) return undefined;
  ledger.entries.splice(ledger.entries.indexOf(entry), 1);
  return [at(entry)];
};

const removeLine: Edit = ({ ledger, random }) => {
  const line = choose(ledger.lines, random);
  if (!line) return undefined;
  ledger.lines.splice(ledger.lines.indexOf(line), 1);
  return [at(line)];
};

const edits: Readonly<Record<string, Edit>> = {
  amount: ofEntry((entry) => (entry.amount += entry.amount > 0n ? 1n : -1n)),
  sign: ofEntry((entry) => (entry.amount = -entry.amount)),
  balance: ofEntry((entry) => (entry.balance_after += 1n)),
  description: ofEntry((entry) => (entry.description = `${entry.description ?? ''}!`)),
  metadata: ofEntry((entry) => (entry.metadata = '{"order":"43"}')),
  'time back': ofEntry((entry) => (entry.micros -= 86_400_000_000n)),
  'time forth': ofEntry((entry) => (entry.micros += 86_400_000_000n)),
  'part of a millisecond': ofEntry((entry) => (entry.micros += 1n)),
  actor: ofEntry((entry) => (entry.actor = 'somebody')),
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
  swap,
  remove,
  cut,
  'wallet balance': ofWallet((wallet) => (wallet.balance += 1n)),
  'wallet seq': ofWallet((wallet) => (wallet.seq += 1)),
  'wallet hash': ofWallet((wallet) => (wallet.last_hash = zeros)),
  'wallet time': ofWallet((wallet) => (wallet.last_micros += 1_000n)),
  'wallet exponent': ofWallet((wallet) => (wallet.exponent = 3)),
  'line amount': ofLine((line) => (line.amount += 1n)),
  'line description': ofLine((line) => (line.description = `${line.description ?? ''}!`)),
  'line time': ofLine((line) => (line.micros += 1_000n)),
  'line hash': ofLine((line) => (line.hash = zeros)),
  'line link': ofLine((line) => (line.previous_hash = zeros)),
  'line currency': ofLine((line) => (line.currency = 'USD')),
  'line missing': removeLine,
};

export const editNames = Object.keys(edits);

/** Makes one edit; undefined where the ledger has no row for it. */
export function edit(name: string, ledger: Ledger, random: () => number): Edited | undefined {
  const places = edits[name]?.({ ledger, random });
  return places && { name, places };
}
