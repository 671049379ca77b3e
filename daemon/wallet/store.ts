import type { Operation } from '../../core/operations.ts';
import { sql, type Tx } from '../platform/db.ts';
import type { Entry, Source, States, WalletRef, WalletState } from './domain.ts';

export const operationCodes: Readonly<Record<Operation, number>> = {
  deposit: 1,
  withdraw: 2,
  purchase: 3,
  reversal: 4,
  cancellation: 5,
};
const operationNames = new Map(
  Object.entries(operationCodes).map(([name, code]) => [code, name as Operation]),
);
const sourceCodes: Readonly<Record<Source, number>> = { grpc: 1, message: 2 };

export type WalletRow = {
  id: string;
  user_id: string;
  currency: string;
  exponent: number;
  status: 'active' | 'frozen';
  balance: bigint;
  seq: bigint;
  last_at: number;
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
};

const openSql = sql(
  'wallet_open',
  `INSERT INTO wallets (id, user_id, currency, exponent, balance, seq, last_at, last_hash)
   SELECT id, user_id, currency, exponent, 0, 0, 'epoch', last_hash
   FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[], $5::bytea[])
     AS w(id, user_id, currency, exponent, last_hash)
   ORDER BY id
   ON CONFLICT DO NOTHING`,
);

/**
 * Opens the wallets that do not exist yet, in order of id, and gives their number. Waits for
 * whoever is opening one of them at the moment.
 */
export async function openWallets(tx: Tx, wallets: readonly WalletState[]): Promise<number> {
  if (wallets.length === 0) return 0;
  return tx.execute(openSql, [
    wallets.map((w) => w.id),
    wallets.map((w) => w.userId),
    wallets.map((w) => w.currency),
    wallets.map((w) => w.exponent),
    wallets.map((w) => w.lastHash),
  ]);
}

export const walletColumns = `w.id, w.user_id, w.currency, w.exponent, w.status, w.balance, w.seq,
  w.last_at, w.last_hash`;

const readWalletsText = `SELECT ${walletColumns}
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(id, user_id)
   JOIN wallets w ON w.id = asked.id AND w.user_id = asked.user_id
   ORDER BY w.id`;

const lockWalletsSql = sql('wallet_lock', `${readWalletsText} FOR NO KEY UPDATE OF w`);
const readWalletsSql = sql('wallet_read', readWalletsText);
const settleSql = sql('wallet_settle', `${readWalletsText} FOR SHARE OF w`);

/**
 * One wallet after the commit in flight on it, if there is any: whatever comes later has a later
 * time than the clock now.
 */
export async function readSettledWallet(tx: Tx, ref: WalletRef): Promise<WalletState | undefined> {
  const [row] = await tx.query<WalletRow>(settleSql, [[ref.id], [ref.userId]]);
  return row && toWallet(row);
}

/**
 * Reads wallets of these owners, locked in order of id (`isLocked`), so that two batches never
 * wait for each other in a circle. The owner is part of the statement.
 */
export async function readWallets(
  tx: Tx,
  refs: readonly WalletRef[],
  isLocked: boolean,
): Promise<WalletState[]> {
  if (refs.length === 0) return [];
  const statement = isLocked ? lockWalletsSql : readWalletsSql;
  const rows = await tx.query<WalletRow>(statement, [
    refs.map((ref) => ref.id),
    refs.map((ref) => ref.userId),
  ]);
  return rows.map(toWallet);
}

export const entryColumns = `t.id, t.wallet_id, w.user_id, w.currency, w.exponent, t.seq, t.operation,
  t.amount, t.balance_after, t.contra_account, t.parent_id, t.source, t.actor, t.description,
  t.metadata, t.occurred_at, t.hash`;

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

const undoneSql = sql(
  'entry_undone',
  `SELECT t.parent_id
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(parent_id, wallet_id)
   CROSS JOIN LATERAL (SELECT parent_id FROM transactions
     WHERE wallet_id = asked.wallet_id AND parent_id = asked.parent_id OFFSET 0) t`,
);

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

/** Which of these parents have been undone already. */
export async function readUndone(tx: Tx, parents: readonly EntryKey[]): Promise<Set<string>> {
  if (parents.length === 0) return new Set();
  const rows = await tx.query<{ parent_id: string }>(undoneSql, columnsOf(parents));
  return new Set(rows.map((row) => row.parent_id));
}

const appendSql = sql(
  'entry_append',
  `INSERT INTO transactions (wallet_id, seq, id, operation, amount, balance_after, contra_account,
     parent_id, source, actor, description, metadata, occurred_at, hash)
   SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::smallint[], $5::bigint[],
     $6::bigint[], $7::text[], $8::uuid[], $9::smallint[], $10::text[], $11::text[], $12::json[],
     $13::timestamptz[], $14::bytea[])`,
);

/** Appends entries to the ledger; their seqs are the next of their wallets. */
export async function appendEntries(tx: Tx, entries: readonly Entry[]): Promise<void> {
  await tx.execute(appendSql, [
    entries.map((e) => e.wallet.id),
    entries.map((e) => e.seq),
    entries.map((e) => e.id),
    entries.map((e) => operationCodes[e.operation]),
    entries.map((e) => e.amountMinor),
    entries.map((e) => e.balanceAfterMinor),
    entries.map((e) => e.contraAccount),
    entries.map((e) => e.parentId),
    entries.map((e) => sourceCodes[e.source]),
    entries.map((e) => e.actor),
    entries.map((e) => e.description),
    entries.map((e) => (Object.keys(e.metadata).length > 0 ? JSON.stringify(e.metadata) : null)),
    entries.map((e) => new Date(e.occurredAtMs).toISOString()),
    entries.map((e) => e.hash),
  ]);
}

const updateSql = sql(
  'wallet_update',
  `UPDATE wallets w SET balance = u.balance, seq = u.seq, last_at = u.last_at, last_hash = u.last_hash
   FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bytea[])
     AS u(id, balance, seq, last_at, last_hash)
   WHERE w.id = u.id AND w.seq < u.seq`,
);

/** Moves locked wallets to their new state. Throws if one was not there or was ahead already. */
export async function updateWallets(tx: Tx, wallets: readonly WalletState[]): Promise<void> {
  const updated = await tx.execute(updateSql, [
    wallets.map((w) => w.id),
    wallets.map((w) => w.balanceMinor),
    wallets.map((w) => w.seq),
    wallets.map((w) => new Date(w.lastAtMs).toISOString()),
    wallets.map((w) => w.lastHash),
  ]);
  if (updated !== wallets.length) {
    throw new Error(`${updated} of ${wallets.length} locked wallets could be updated`);
  }
}

const statusSql = sql('wallet_status', 'UPDATE wallets SET status = $2 WHERE id = $1');

/** Freezes or unfreezes a locked wallet. */
export async function updateStatus(
  tx: Tx,
  walletId: string,
  status: WalletState['status'],
): Promise<void> {
  await tx.execute(statusSql, [walletId, status]);
}

export function toWallet(row: WalletRow): WalletState {
  return {
    id: row.id,
    userId: row.user_id,
    currency: row.currency,
    exponent: row.exponent,
    status: row.status,
    balanceMinor: row.balance,
    seq: row.seq,
    lastAtMs: row.last_at,
    lastHash: row.last_hash,
  };
}

export function toEntry(row: EntryRow): Entry {
  const operation = operationNames.get(row.operation);
  if (!operation) throw new Error(`transaction ${row.id} has operation ${row.operation}`);
  return {
    id: row.id,
    wallet: {
      id: row.wallet_id,
      userId: row.user_id,
      currency: row.currency,
      exponent: row.exponent,
    },
    seq: row.seq,
    operation,
    amountMinor: row.amount,
    balanceAfterMinor: row.balance_after,
    contraAccount: row.contra_account,
    parentId: row.parent_id ?? undefined,
    source: row.source === sourceCodes.message ? 'message' : 'grpc',
    actor: row.actor,
    description: row.description ?? undefined,
    metadata: row.metadata ?? {},
    occurredAtMs: row.occurred_at,
    hash: row.hash,
  };
}

function columnsOf(keys: readonly EntryKey[]): [string[], string[]] {
  return [keys.map((key) => key.id), keys.map((key) => key.walletId)];
}
