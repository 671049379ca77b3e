import { walletIdOf } from '../../../core/ids.ts';
import { expectedGenesis, expectedHash } from './chain.ts';

/** Rows as the tables have them; times in microseconds since 1970, hashes in hex. */
export type Entry = {
  wallet_id: string;
  seq: number;
  id: string;
  operation: number;
  amount: bigint;
  balance_after: bigint;
  contra_account: string;
  parent_id: string | null;
  source: number;
  actor: string;
  description: string | null;
  /** JSON. */
  metadata: string | null;
  micros: bigint;
  hash: string;
};
export type Line = Omit<Entry, 'source'> & {
  source: string;
  previous_hash: string;
  user_id: string;
  currency: string;
};
export type Wallet = {
  id: string;
  user_id: string;
  currency: string;
  exponent: number;
  balance: bigint;
  seq: number;
  last_micros: bigint;
  last_hash: string;
};
export type Ledger = { wallets: Wallet[]; entries: Entry[]; lines: Line[] };

const startMicros = BigInt(Date.UTC(2026, 0, 1)) * 1_000n;
const texts = ['Lunch', 'Café; 2:ab', '東京', '', null] as const;
const metadatas = [null, null, '{"order":"42","a":"b"}', '{"note":"é;1:"}'] as const;

/**
 * A ledger with whole chains, one wallet for each number of entries. `random` gives numbers from 0
 * up to 1; the same numbers make the same ledger. Amounts are up to 10,000 times `unit`.
 */
export function makeLedger(counts: readonly number[], random: () => number, unit = 1n): Ledger {
  const ledger: Ledger = { wallets: [], entries: [], lines: [] };
  const users = counts.map((count) => ({ id: randomId(random), count }));
  const wallets = users.map((user) => ({ ...user, walletId: walletIdOf(user.id, 'BRL') }));
  for (const { id, count, walletId } of wallets.sort(byWallet)) {
    addWallet(ledger, { userId: id, walletId, count, unit }, random);
  }
  return ledger;
}

const byWallet = (a: { walletId: string }, b: { walletId: string }): number =>
  a.walletId < b.walletId ? -1 : 1;

function addWallet(
  ledger: Ledger,
  {
    userId,
    walletId,
    count,
    unit,
  }: { userId: string; walletId: string; count: number; unit: bigint },
  random: () => number,
): void {
  const genesis = expectedGenesis(walletId, userId, 'BRL');
  let [hash, balance, micros] = [genesis, 0n, startMicros];
  const undone = new Set<string>();
  const own: Entry[] = [];
  for (let seq = 1; seq <= count; seq += 1) {
    micros += BigInt(Math.floor(random() * 5_000)) * 1_000n;
    const parent = random() < 0.2 ? own.find((e) => canUndo(e, undone, balance)) : undefined;
    const move = parent ? undo(parent) : spendOrDeposit(balance, random, unit);
    if (parent) undone.add(parent.id);
    balance += move.amount;
    const entry: Entry = {
      ...{ wallet_id: walletId, seq, id: randomId(random), balance_after: balance, ...move },
      ...{ source: random() < 0.5 ? 1 : 2, actor: userId, hash: '', micros },
      description: texts[Math.floor(random() * texts.length)] ?? null,
      metadata: metadatas[Math.floor(random() * metadatas.length)] ?? null,
    };
    const previous_hash = hash;
    entry.hash = hash = hashOf(previous_hash, entry);
    own.push(entry);
    ledger.lines.push(toLine(entry, { previous_hash, user_id: userId, currency: 'BRL' }));
  }
  ledger.entries.push(...own);
  ledger.wallets.push({
    ...{ id: walletId, user_id: userId, currency: 'BRL', exponent: 2, balance, seq: count },
    ...{ last_micros: micros, last_hash: hash },
  });
}

/** The hash that an entry has behind another one. */
const hashOf = (previous: string, entry: Entry): string =>
  expectedHash(previous, {
    ...entry,
    seq: String(entry.seq),
    amount: String(entry.amount),
    balance_after: String(entry.balance_after),
    metadata: JSON.parse(entry.metadata ?? 'null') as Record<string, string> | null,
    at_ms: String(entry.micros / 1_000n),
  });

const toLine = (
  entry: Entry,
  rest: Pick<Line, 'previous_hash' | 'user_id' | 'currency'>,
): Line => ({ ...entry, source: entry.source === 1 ? 'grpc' : 'message', ...rest });

const canUndo = (entry: Entry, undone: ReadonlySet<string>, balance: bigint): boolean =>
  entry.operation <= 3 && !undone.has(entry.id) && balance - entry.amount >= 0n;

type Move = Pick<Entry, 'operation' | 'amount' | 'contra_account' | 'parent_id'>;

const undo = (parent: Entry): Move => ({
  ...{ operation: 4, amount: -parent.amount, contra_account: parent.contra_account },
  parent_id: parent.id,
});

function spendOrDeposit(balance: bigint, random: () => number, unit: bigint): Move {
  const wanted = unit * BigInt(1 + Math.floor(random() * 10_000));
  const isDeposit = wanted > balance || random() < 0.5;
  if (isDeposit) {
    return { operation: 1, amount: wanted, contra_account: 'external:cash', parent_id: null };
  }
  const isPurchase = random() < 0.5;
  const contra_account = isPurchase ? 'merchant:Café' : 'external:cash';
  return { operation: isPurchase ? 3 : 2, amount: -wanted, contra_account, parent_id: null };
}

/** A UUID from random numbers. */
export function randomId(random: () => number): string {
  const hex = () =>
    Math.floor(random() * 2 ** 16)
      .toString(16)
      .padStart(4, '0');
  return `${hex()}${hex()}-${hex()}-4${hex().slice(1)}-8${hex().slice(1)}-${hex()}${hex()}${hex()}`;
}

/** Numbers from 0 up to 1 that follow from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
