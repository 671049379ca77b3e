import { operationOfCode } from '../../../core/operations.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import { toUuidArray } from '../../platform/db/sql-arrays.ts';
import {
  plainTerms,
  usedKey,
  type Entry,
  type EntryMore,
  type Source,
  type States,
  type Terms,
  type WalletRef,
  type WalletState,
  type WalletStatus,
} from '../domain.ts';
import type { LastEntry } from '../domain-integrity.ts';
import { ofStoredLimits, type StoredLimits } from '../limits-json.ts';

export const sourceCodes: Readonly<Record<Source, number>> = { grpc: 1, message: 2, system: 3 };
const sources: readonly (Source | undefined)[] = [undefined, 'grpc', 'message', 'system'];

export type WalletRow = {
  id: string;
  user_id: string;
  currency: string;
  exponent: number;
  status: WalletStatus;
  terms_no: number;
  overdraft_limit: bigint;
  limits: StoredLimits | null;
  balance: bigint;
  held: bigint;
  next_expiry: number | null;
  debited: bigint;
  seq: bigint;
  last_at: number;
  read_watermark: number;
  ahead_accepted_at: number | null;
  last_hash: Buffer;
};

export type EntryRow = {
  id: string;
  wallet_id: string;
  user_id: string;
  currency: string;
  exponent: number;
  seq: bigint;
  operation: number;
  amount: bigint;
  balance_after: bigint;
  contra_account: string;
  parent_id: string | null;
  source: number;
  actor: string;
  description: string | null;
  metadata: Readonly<Record<string, string>> | null;
  occurred_at: number;
  hash: Buffer;
  debited_after: bigint;
  held: bigint | null;
  held_after: bigint | null;
  parent_used: bigint | null;
  parent_amount: bigint | null;
  group_id: string | null;
};

export const walletColumns = `w.id, w.user_id, w.currency, w.exponent, w.status, w.terms_no,
  w.overdraft_limit, w.limits, w.balance, w.held, w.next_expiry, w.debited, w.seq,
  w.last_at, GREATEST(w.read_watermark, 'epoch') AS read_watermark, w.ahead_accepted_at,
  w.last_hash`;

const readWalletsText = `SELECT ${walletColumns}
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(id, user_id)
   JOIN wallets w ON w.id = asked.id AND w.user_id = asked.user_id
   ORDER BY w.id`;

const lockWalletsSql = sql('wallet_lock', `${readWalletsText} FOR NO KEY UPDATE OF w`);
const lockFreeSql = sql(
  'wallet_lock_free',
  `${readWalletsText} FOR NO KEY UPDATE OF w SKIP LOCKED`,
);
const readWalletsSql = sql('wallet_read', readWalletsText);

/** `wait`: locked. `skip`: locked, without those that another transaction has locked. */
export type WalletLock = 'none' | 'wait' | 'skip';
const walletStatements = { none: readWalletsSql, wait: lockWalletsSql, skip: lockFreeSql };

/**
 * Reads wallets of these owners, locked in order of id if so asked, so that two batches never
 * wait for each other in a circle. The owner is part of the statement.
 */
export async function readWallets(
  tx: Tx,
  refs: readonly WalletRef[],
  lock: WalletLock,
): Promise<WalletState[]> {
  if (refs.length === 0) return [];
  const rows = await tx.query<WalletRow>(walletStatements[lock], [
    toUuidArray(refs, (ref) => ref.id),
    toUuidArray(refs, (ref) => ref.userId),
  ]);
  return rows.map(toWallet);
}

const lastEntriesSql = sql(
  'entry_last',
  `SELECT t.wallet_id, t.seq, t.balance_after, t.hash
   FROM unnest($1::uuid[]) AS asked(wallet_id)
   CROSS JOIN LATERAL (SELECT wallet_id, seq, balance_after, hash FROM transactions
     WHERE wallet_id = asked.wallet_id ORDER BY seq DESC LIMIT 1) t`,
);

type LastEntryRow = { wallet_id: string; seq: bigint; balance_after: bigint; hash: Buffer };

/** What the ledger has last of each of these wallets. */
export async function readLastEntries(
  tx: Tx,
  wallets: readonly WalletState[],
): Promise<ReadonlyMap<string, LastEntry>> {
  if (wallets.length === 0) return new Map();
  const rows = await tx.query<LastEntryRow>(lastEntriesSql, [toUuidArray(wallets, (w) => w.id)]);
  return new Map(
    rows.map((row) => [
      row.wallet_id,
      { seq: row.seq, balanceAfterMinor: row.balance_after, hash: row.hash.toString('hex') },
    ]),
  );
}

export const entryColumns = `t.id, t.wallet_id, w.user_id, w.currency, w.exponent, t.seq, t.operation,
  t.amount, t.balance_after, t.contra_account, t.parent_id, t.source, t.actor, t.description,
  t.metadata, t.occurred_at, t.hash, t.debited_after, t.held, t.held_after, t.parent_used,
  t.parent_amount, t.group_id`;

// A lookup per item, spelt out: a plan that was made while the table was small would otherwise read
// all of a wallet's entries for each item, for as long as the connection lives.
const entriesSql = sql(
  'entry_by_id',
  `SELECT ${entryColumns}
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(id, wallet_id)
   CROSS JOIN LATERAL (SELECT * FROM transactions
     WHERE id = asked.id AND wallet_id = asked.wallet_id OFFSET 0) t
   JOIN wallets w ON w.id = t.wallet_id`,
);

// The last child of a parent says what was used up before it, and uses up its own amount.
const usedSql = sql(
  'entry_used',
  `SELECT asked.wallet_id, asked.parent_id,
     coalesce(t.parent_used, 0) + greatest(abs(t.amount), abs(coalesce(t.held, 0))) AS used
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(parent_id, wallet_id)
   CROSS JOIN LATERAL (SELECT parent_used, amount, held FROM transactions
     WHERE wallet_id = asked.wallet_id AND parent_id = asked.parent_id
     ORDER BY coalesce(parent_used, 0) DESC LIMIT 1) t`,
);

const waitBrieflySql = sql(
  'wait_briefly',
  `SELECT set_config('lock_timeout', $1, true),
     set_config('idle_in_transaction_session_timeout', '5s', true)`,
);

/**
 * Until the end of this transaction, no lock is waited for longer, and the server ends it after 5 s
 * without a statement: of a process that was stopped it would hold its locks for longer.
 */
export async function waitBriefly(tx: Tx, waitMs = 50): Promise<void> {
  await tx.execute(waitBrieflySql, [`${waitMs}ms`]);
}

export type EntryKey = { readonly id: string; readonly walletId: string };

/** The entries with these ids on these wallets; after the lock, twins in flight are visible. */
export async function readEntries(tx: Tx, keys: readonly EntryKey[]): Promise<States['entries']> {
  const found = new Map<string, Entry[]>();
  if (keys.length === 0) return found;
  const rows = await tx.query<EntryRow>(entriesSql, columnsOf(keys));
  for (const entry of rows.map(toEntry)) {
    found.set(entry.id, [...(found.get(entry.id) ?? []), entry]);
  }
  return found;
}

/** How much of these parents has been used up; those of which nothing has are absent. */
export async function readUsed(tx: Tx, parents: readonly EntryKey[]): Promise<States['used']> {
  if (parents.length === 0) return new Map();
  type Row = { wallet_id: string; parent_id: string; used: bigint };
  const rows = await tx.query<Row>(usedSql, columnsOf(parents));
  return new Map(rows.map((row) => [usedKey(row.wallet_id, row.parent_id), row.used]));
}

export function toWallet(row: WalletRow): WalletState {
  return {
    id: row.id,
    userId: row.user_id,
    currency: row.currency,
    exponent: row.exponent,
    balanceMinor: row.balance,
    debitedMinor: row.debited,
    seq: row.seq,
    lastAtMs: row.last_at,
    readWatermarkMs: row.read_watermark,
    aheadAcceptedMs: row.ahead_accepted_at ?? 0,
    lastHash: row.last_hash.toString('hex'),
    held: row.held === 0n ? undefined : { heldMinor: row.held, nextExpiryMs: row.next_expiry ?? 0 },
    terms: row.terms_no === 0 ? plainTerms : toTerms(row),
  };
}

const toTerms = ({ terms_no: no, status, overdraft_limit, limits }: WalletRow): Terms => ({
  no,
  status,
  overdraftMinor: overdraft_limit,
  limits: limits ? ofStoredLimits(limits) : undefined,
});

function toSource(code: number): Source {
  const source = sources[code];
  if (!source) throw new Error(`an entry has the unknown source ${code}`);
  return source;
}

export function toEntry(row: EntryRow): Entry {
  return {
    id: row.id,
    wallet: {
      id: row.wallet_id,
      userId: row.user_id,
      currency: row.currency,
      exponent: row.exponent,
    },
    seq: row.seq,
    operation: operationOfCode(row.operation),
    amountMinor: row.amount,
    balanceAfterMinor: row.balance_after,
    contraAccount: row.contra_account,
    parentId: row.parent_id ?? undefined,
    source: toSource(row.source),
    actor: row.actor,
    description: row.description ?? undefined,
    metadata: row.metadata ?? {},
    occurredAtMs: row.occurred_at,
    hash: row.hash.toString('hex'),
    debitedAfterMinor: row.debited_after,
    more: toEntryMore(row),
  };
}

/** What is absent in the row is 0; most rows have none of it. */
function toEntryMore(row: EntryRow): EntryMore | undefined {
  const hasHeld = row.held !== null || row.held_after !== null;
  if (row.parent_amount === null && !hasHeld && row.group_id === null) return undefined;
  return {
    heldMinor: row.held ?? 0n,
    heldAfterMinor: row.held_after ?? 0n,
    parentUsedMinor: row.parent_used ?? 0n,
    parentAmountMinor: row.parent_amount ?? undefined,
    groupId: row.group_id ?? undefined,
  };
}

function columnsOf(keys: readonly EntryKey[]): [Buffer, Buffer] {
  return [toUuidArray(keys, (key) => key.id), toUuidArray(keys, (key) => key.walletId)];
}
