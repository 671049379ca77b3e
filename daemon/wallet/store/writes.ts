import { operationTable } from '../../../core/operations.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import {
  rowsOfArrays,
  toHashArray,
  toInt2Array,
  toInt4Array,
  toInt8Array,
  toJsonArray,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from '../../platform/db/sql-arrays.ts';
import type { Entry, WalletState, WalletStatus } from '../domain.ts';
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
  debited_after: 'bigint',
};
/** Columns that are NULL in most rows. */
const moreTypes = {
  held: 'bigint',
  held_after: 'bigint',
  parent_used: 'bigint',
  parent_amount: 'bigint',
  group_id: 'uuid',
};
const fullTypes = { ...entryTypes, ...moreTypes };

const appendText = (types: Readonly<Record<string, string>>): string =>
  `INSERT INTO transactions (${Object.keys(types).join(', ')}) ${rowsOfArrays(types)}`;
const appendSql = sql('entry_append', appendText(entryTypes));
const appendFullSql = sql('entry_append_full', appendText(fullTypes));

/** Appends entries to the ledger; their seqs are the next of their wallets. */
export async function appendEntries(tx: Tx, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  const columns = [
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
    toInt8Array(entries, (e) => e.debitedAfterMinor),
  ];
  if (entries.every((e) => e.more === undefined)) {
    await tx.execute(appendSql, columns);
    return;
  }
  await tx.execute(appendFullSql, [
    ...columns,
    toInt8Array(entries, (e) => e.more?.heldMinor || undefined),
    toInt8Array(entries, (e) => e.more?.heldAfterMinor || undefined),
    toInt8Array(entries, (e) => e.more?.parentUsedMinor || undefined),
    toInt8Array(entries, (e) => e.more?.parentAmountMinor),
    toUuidArray(entries, (e) => e.more?.groupId),
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
  debited: 'bigint',
};
const setState = `balance = u.balance, seq = u.seq, last_at = u.last_at, last_hash = u.last_hash,
     debited = u.debited`;

/** The same of wallets of which some have, or had, money reserved. */
const heldTypes = { ...stateTypes, held: 'bigint', next_expiry: 'timestamptz' };
const setHeldState = `${setState}, held = u.held, next_expiry = u.next_expiry`;

const updateSql = sql(
  'wallet_update',
  `UPDATE wallets w SET ${setHeldState}
   FROM (${rowsOfArrays(heldTypes)}) AS u
   WHERE w.id = u.id AND w.seq < u.seq`,
);

/** Updates locked wallets to their new state. Throws if one was not there or was ahead already. */
export async function updateWallets(tx: Tx, wallets: readonly WalletState[]): Promise<void> {
  const columns = [...columnsOfStates(wallets), ...columnsOfHeld(wallets)];
  const updated = await tx.execute(updateSql, columns);
  if (updated !== wallets.length) {
    throw new Error(`${updated} of ${wallets.length} locked wallets could be updated`);
  }
}

const comparedTypes = { was_balance: 'bigint', was_hash: 'bytea', was_terms_no: 'integer' };

// Compare-and-set: a wallet that differs from the cache is not updated, and missing in the count.
// The server itself fails by that: COMMIT is sent without a look at the answer.
const compareAndSetText = (set: string, types: Readonly<Record<string, string>>): string => {
  const all = { ...types, ...comparedTypes };
  return `WITH moved AS (UPDATE wallets w SET ${set}
   FROM (${rowsOfArrays(all)}) AS u
   WHERE w.id = u.id AND w.last_hash = u.was_hash AND w.balance = u.was_balance
     AND w.terms_no = u.was_terms_no AND w.read_watermark <= u.last_at
     RETURNING 1)
   SELECT 1 / (count(*) = $${Object.keys(all).length + 1})::int FROM moved`;
};
const compareAndSetSql = sql('wallet_move', compareAndSetText(setState, stateTypes));
const compareAndSetHeldSql = sql('wallet_move_held', compareAndSetText(setHeldState, heldTypes));

/** A wallet's state in the cache, and its new state. */
export type BalanceUpdate = { readonly from: WalletState; readonly to: WalletState };

/**
 * Compare-and-set of wallets without a lock: updates those that are still as in the cache, with
 * the same terms, and have a read watermark not later than their new entries. Fails by a division
 * by zero (22012) if any of them was not updated: then nothing can be committed. In order of id, as
 * in `readWallets`, if the pool plans by key (`isByKey`). A plan that reads the whole table locks rows in the order in which they lie: two
 * such commits can wait for each other. What is reserved follows from the entries: the hash proves
 * it.
 */
export async function compareAndSetWallets(
  tx: Tx,
  updates: readonly BalanceUpdate[],
): Promise<void> {
  if (updates.length === 0) return;
  const sorted = updates.toSorted((a, b) => (a.to.id < b.to.id ? -1 : 1));
  const states = sorted.map(({ to }) => to);
  const hasHeld = sorted.some(({ from, to }) => (from.held ?? to.held) !== undefined);
  await tx.execute(hasHeld ? compareAndSetHeldSql : compareAndSetSql, [
    ...columnsOfStates(states),
    ...(hasHeld ? columnsOfHeld(states) : []),
    toInt8Array(sorted, ({ from }) => from.balanceMinor),
    toHashArray(sorted, ({ from }) => from.lastHash),
    toInt4Array(sorted, ({ from }) => from.terms.no),
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
    toInt8Array(wallets, (w) => w.debitedMinor),
  ];
}

const columnsOfHeld = (wallets: readonly WalletState[]): Buffer[] => [
  toInt8Array(wallets, (w) => w.held?.heldMinor ?? 0n),
  toTimeArray(wallets, (w) => w.held?.nextExpiryMs),
];

const nextExpirySql = sql(
  'wallet_next_expiry',
  `UPDATE wallets w SET next_expiry = u.next_expiry
   FROM unnest($1::uuid[], $2::timestamptz[]) AS u(id, next_expiry) WHERE w.id = u.id`,
);

/** Corrects when the first open hold of locked wallets ends: it was too early. */
export async function updateNextExpiry(tx: Tx, wallets: readonly WalletState[]): Promise<void> {
  if (wallets.length === 0) return;
  await tx.execute(nextExpirySql, [
    toUuidArray(wallets, (w) => w.id),
    toTimeArray(wallets, (w) => w.held?.nextExpiryMs),
  ]);
}

const floorSql = sql(
  'wallet_floor',
  `UPDATE wallets w SET floor = LEAST(w.floor, u.balance)
   FROM unnest($1::uuid[], $2::bigint[]) AS u(id, balance) WHERE w.id = u.id`,
);

/** Lets the balances of locked wallets fall to what they will be. */
export async function lowerFloorsTo(
  tx: Tx,
  wallets: readonly Pick<WalletState, 'id' | 'balanceMinor'>[],
): Promise<void> {
  if (wallets.length === 0) return;
  await tx.execute(floorSql, [
    toUuidArray(wallets, (w) => w.id),
    toInt8Array(wallets, (w) => w.balanceMinor),
  ]);
}

const statusSql = sql(
  'wallet_status',
  'UPDATE wallets SET status = $2, terms_no = terms_no + 1 WHERE id = $1',
);

/** Changes the status of a locked wallet. */
export async function updateStatus(tx: Tx, walletId: string, status: WalletStatus): Promise<void> {
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
