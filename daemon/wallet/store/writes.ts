import { operationTable } from '../../../core/operations.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import {
  rowsOfArrays,
  toHashArray,
  toInt2Array,
  toInt8Array,
  toJsonArray,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from '../../platform/db/sql-arrays.ts';
import type { Entry, WalletState } from '../domain.ts';
import { sourceCodes } from './store.ts';

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
 * Opens the wallets that do not exist yet, in order of id, and returns their number. Waits for
 * a concurrent transaction that opens one of them.
 */
export async function openWallets(tx: Tx, wallets: readonly WalletState[]): Promise<number> {
  if (wallets.length === 0) return 0;
  return tx.execute(openSql, [
    toUuidArray(wallets, (w) => w.id),
    toUuidArray(wallets, (w) => w.userId),
    toTextArray(wallets, (w) => w.currency),
    toInt2Array(wallets, (w) => w.exponent),
    toHashArray(wallets, (w) => w.lastHash),
  ]);
}

const entryTypes = {
  wallet_id: 'uuid',
  seq: 'bigint',
  id: 'uuid',
  operation: 'smallint',
  amount: 'bigint',
  balance_after: 'bigint',
  contra_account: 'text',
  parent_id: 'uuid',
  source: 'smallint',
  actor: 'text',
  description: 'text',
  metadata: 'json',
  occurred_at: 'timestamptz',
  hash: 'bytea',
};

const appendSql = sql(
  'entry_append',
  `INSERT INTO transactions (${Object.keys(entryTypes).join(', ')}) ${rowsOfArrays(entryTypes)}`,
);

/** Appends entries to the ledger; their seqs are the next of their wallets. */
export async function appendEntries(tx: Tx, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  await tx.execute(appendSql, [
    toUuidArray(entries, (e) => e.wallet.id),
    toInt8Array(entries, (e) => e.seq),
    toUuidArray(entries, (e) => e.id),
    toInt2Array(entries, (e) => operationTable[e.operation].code),
    toInt8Array(entries, (e) => e.amountMinor),
    toInt8Array(entries, (e) => e.balanceAfterMinor),
    toTextArray(entries, (e) => e.contraAccount),
    toUuidArray(entries, (e) => e.parentId),
    toInt2Array(entries, (e) => sourceCodes[e.source]),
    toTextArray(entries, (e) => e.actor),
    toTextArray(entries, (e) => e.description),
    toJsonArray(entries, (e) => toMetadataText(e.metadata)),
    toTimeArray(entries, (e) => e.occurredAtMs),
    toHashArray(entries, (e) => e.hash),
  ]);
}

function toMetadataText(metadata: Entry['metadata']): string | undefined {
  for (const _key in metadata) return JSON.stringify(metadata);
  return undefined;
}

const stateTypes = {
  id: 'uuid',
  balance: 'bigint',
  seq: 'bigint',
  last_at: 'timestamptz',
  last_hash: 'bytea',
};

const updateSql = sql(
  'wallet_update',
  `UPDATE wallets w SET balance = u.balance, seq = u.seq, last_at = u.last_at, last_hash = u.last_hash
   FROM (${rowsOfArrays(stateTypes)}) AS u
   WHERE w.id = u.id AND w.seq < u.seq`,
);

/** Updates locked wallets to their new state. Throws if one was not there or was ahead already. */
export async function updateWallets(tx: Tx, wallets: readonly WalletState[]): Promise<void> {
  const updated = await tx.execute(updateSql, columnsOfStates(wallets));
  if (updated !== wallets.length) {
    throw new Error(`${updated} of ${wallets.length} locked wallets could be updated`);
  }
}

// Compare-and-set: a wallet that differs from the cache is not updated, and missing in the count.
// The server itself fails by that: COMMIT is sent without a look at the answer.
const compareAndSetSql = sql(
  'wallet_move',
  `WITH moved AS (UPDATE wallets w SET balance = u.balance, seq = u.seq, last_at = u.last_at, last_hash = u.last_hash
   FROM (${rowsOfArrays({ ...stateTypes, was_balance: 'bigint', was_hash: 'bytea' })}) AS u
   WHERE w.id = u.id AND w.last_hash = u.was_hash AND w.balance = u.was_balance
     AND w.status = 'active' AND w.read_watermark <= u.last_at
     RETURNING 1)
   SELECT 1 / (count(*) = $8)::int FROM moved`,
);

/** A wallet's state in the cache, and its new state. */
export type BalanceUpdate = { readonly from: WalletState; readonly to: WalletState };

/**
 * Compare-and-set of wallets without a lock: updates those that are active, are still as in the
 * cache and have a read watermark not later than their new entries. Fails by a division by zero
 * (22012) if any of them was not updated: then nothing can be committed. In order of id, as in `readWallets`, if the pool plans by
 * key (`isByKey`). A plan that reads the whole table locks rows in the order in which they lie: two
 * such commits can wait for each other.
 */
export async function compareAndSetWallets(
  tx: Tx,
  updates: readonly BalanceUpdate[],
): Promise<void> {
  if (updates.length === 0) return;
  const sorted = updates.toSorted((a, b) => (a.to.id < b.to.id ? -1 : 1));
  await tx.execute(compareAndSetSql, [
    ...columnsOfStates(sorted.map(({ to }) => to)),
    toInt8Array(sorted, ({ from }) => from.balanceMinor),
    toHashArray(sorted, ({ from }) => from.lastHash),
    sorted.length,
  ]);
}

function columnsOfStates(wallets: readonly WalletState[]): Buffer[] {
  return [
    toUuidArray(wallets, (w) => w.id),
    toInt8Array(wallets, (w) => w.balanceMinor),
    toInt8Array(wallets, (w) => w.seq),
    toTimeArray(wallets, (w) => w.lastAtMs),
    toHashArray(wallets, (w) => w.lastHash),
  ];
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

const acceptAheadSql = sql(
  'wallet_accept_ahead',
  'UPDATE wallets SET ahead_accepted_at = GREATEST(ahead_accepted_at, $2) WHERE id = $1',
);

/** Lets a locked wallet be ahead of the clock up to a time. */
export async function acceptAhead(tx: Tx, walletId: string, untilMs: number): Promise<void> {
  await tx.execute(acceptAheadSql, [walletId, new Date(untilMs).toISOString()]);
}

const watermarkSql = sql(
  'wallet_read_watermark',
  'UPDATE wallets SET read_watermark = GREATEST(read_watermark, $2) WHERE id = $1',
);

/** Raises a locked wallet's read watermark to `clockMs`; it never falls. */
export async function raiseReadWatermark(tx: Tx, walletId: string, clockMs: number): Promise<void> {
  await tx.execute(watermarkSql, [walletId, new Date(clockMs).toISOString()]);
}
