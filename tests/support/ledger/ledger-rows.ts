import { expectedGenesis, expectedHash, sourceNames } from './chain.ts';

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
  held: bigint | null;
  held_after: bigint | null;
  parent_used: bigint | null;
  group_id: string | null;
  parent_amount: bigint | null;
  debited_after: bigint;
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
  status: string;
  balance: bigint;
  debited: bigint;
  held: bigint;
  floor: bigint;
  overdraft_limit: bigint;
  terms_no: number;
  next_expiry_micros: bigint | null;
  seq: number;
  last_micros: bigint;
  last_hash: string;
};
export type Hold = {
  wallet_id: string;
  id: string;
  seq: number;
  amount: bigint;
  used: bigint;
  captured: bigint;
  state: 'open' | 'captured' | 'released' | 'expired';
  contra_account: string;
  placed_micros: bigint;
  expires_micros: bigint;
  closed_micros: bigint | null;
};
export type Ledger = { wallets: Wallet[]; entries: Entry[]; lines: Line[]; holds: Hold[] };

const startMicros = BigInt(Date.UTC(2026, 0, 1)) * 1_000n;

export const absolute = (value: bigint): bigint => (value < 0n ? -value : value);

/** A wallet that has no entry. */
export const newWallet = (id: string, userId: string): Wallet => ({
  ...{ id, user_id: userId, currency: 'BRL', exponent: 2, status: 'active', balance: 0n },
  ...{ debited: 0n, held: 0n, floor: 0n, seq: 0, last_micros: startMicros },
  ...{ overdraft_limit: 0n, terms_no: 0, next_expiry_micros: null },
  last_hash: expectedGenesis(id, userId, 'BRL'),
});

/**
 * Enters what an entry moves behind the last one of its wallet: numbers, sums and hash follow, in
 * entry, wallet and line.
 */
export function enter(wallet: Wallet, entry: Entry): Line {
  wallet.seq += 1;
  wallet.balance += entry.amount;
  if (entry.amount < 0n) wallet.debited -= entry.amount;
  wallet.held += entry.held ?? 0n;
  if (wallet.balance < wallet.floor) wallet.floor = wallet.balance;
  const previous_hash = wallet.last_hash;
  Object.assign(entry, { wallet_id: wallet.id, seq: wallet.seq });
  Object.assign(entry, { balance_after: wallet.balance, debited_after: wallet.debited });
  entry.held_after = wallet.held === 0n ? null : wallet.held;
  entry.hash = wallet.last_hash = hashOf(previous_hash, entry);
  wallet.last_micros = entry.micros;
  const { user_id, currency } = wallet;
  return toLine(entry, { previous_hash, user_id, currency });
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
    held: textOf(entry.held),
    held_after: textOf(entry.held_after),
    parent_used: textOf(entry.parent_used),
  });

const textOf = (value: bigint | null): string | null => value?.toString() ?? null;

const toLine = (
  entry: Entry,
  rest: Pick<Line, 'previous_hash' | 'user_id' | 'currency'>,
): Line => ({ ...entry, source: sourceNames[entry.source] ?? '', ...rest });

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
