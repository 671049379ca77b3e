import type { IdRange } from '../../../core/ids.ts';
import { operationTable, type Operation } from '../../../core/operations.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { Entry, WalletRef, WalletState } from '../domain.ts';
import {
  entryColumns,
  toEntry,
  toWallet,
  walletColumns,
  type EntryRow,
  type WalletRow,
} from './store.ts';

/**
 * The wallet of each entry, looked up: a join may read all wallets, or those before the page. Pages
 * are cut before: without statistics all the rest would be joined.
 */
const joinWallet = `CROSS JOIN LATERAL (SELECT * FROM wallets WHERE id = t.wallet_id OFFSET 0) w`;

const entryOfOwnerSql = sql(
  'entry_of_owner',
  `SELECT ${entryColumns} FROM transactions t ${joinWallet}
   WHERE t.id = $1 AND ($2::uuid IS NULL OR w.user_id = $2) ORDER BY t.amount`,
);

/**
 * The sides of a transaction by its id, of this owner only unless `userId` is undefined. That which
 * paid comes first.
 */
export async function findSides(tx: Tx, id: string, userId: string | undefined): Promise<Entry[]> {
  return (await tx.query<EntryRow>(entryOfOwnerSql, [id, userId])).map(toEntry);
}

/** Few entries of all wallets, by the index on ids: not all of the wallet's. */
const inIdRange = '(SELECT * FROM transactions WHERE id BETWEEN $8 AND $9 OFFSET 0) AS found';
const listSql = (
  direction: 'ASC' | 'DESC',
  name: 'entry_list' | 'entry_list_prefix' = 'entry_list',
) =>
  sql(
    `${name}_${direction.toLowerCase()}`,
    `SELECT ${entryColumns} FROM (
       SELECT * FROM ${name === 'entry_list' ? 'transactions AS found' : inIdRange}
       WHERE wallet_id = $1 AND seq > $3 AND seq < $6
         AND ($4::smallint IS NULL OR operation = $4)
         AND ($7::boolean IS NULL OR $7 = (operation <> ${operationTable.hold.code}
           AND EXISTS (SELECT FROM transactions child
             WHERE child.wallet_id = $1 AND child.parent_id = found.id)))
       ORDER BY seq ${direction} LIMIT $5) t ${joinWallet}
     WHERE w.user_id = $2 ORDER BY t.seq ${direction}`,
  );
const listStatements = {
  ascending: listSql('ASC'),
  descending: listSql('DESC'),
  ascendingByPrefix: listSql('ASC', 'entry_list_prefix'),
  descendingByPrefix: listSql('DESC', 'entry_list_prefix'),
};

/** A page of a wallet's entries with `afterSeq` < seq < `beforeSeq`. */
export async function listEntries(
  tx: Tx,
  wallet: WalletRef,
  page: {
    readonly isAscending: boolean;
    readonly afterSeq: bigint;
    readonly beforeSeq: bigint;
    readonly operation: Operation | undefined;
    /** Those of which something was undone, or nothing was. */
    readonly isUndone: boolean | undefined;
    readonly ids: IdRange | undefined;
    readonly limit: number;
  },
): Promise<Entry[]> {
  const direction = page.isAscending ? 'ascending' : 'descending';
  const statement = listStatements[page.ids ? (`${direction}ByPrefix` as const) : direction];
  const values = [
    wallet.id,
    wallet.userId,
    page.afterSeq,
    page.operation && operationTable[page.operation].code,
    page.limit,
    page.beforeSeq,
    page.isUndone,
    ...(page.ids ? [page.ids.first, page.ids.last] : []),
  ];
  return (await tx.query<EntryRow>(statement, values)).map(toEntry);
}

const ledgerSql = sql(
  'entry_ledger',
  `SELECT ${entryColumns} FROM (
     SELECT * FROM transactions WHERE (wallet_id, seq) > ($1::uuid, $2::bigint)
     ORDER BY wallet_id, seq LIMIT $3) t ${joinWallet}
   ORDER BY t.wallet_id, t.seq`,
);

const ledgerOfWalletSql = sql(
  'entry_ledger_of_wallet',
  `SELECT ${entryColumns} FROM (
     SELECT * FROM transactions WHERE wallet_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
   ) t ${joinWallet}
   ORDER BY t.seq`,
);

/** A place in the ledger, in order of wallet and seq. */
export type LedgerPlace = { readonly walletId: string; readonly seq: bigint };

/** The ledger after a place: of all wallets, or (`isOneWallet`) of the place's only. */
export async function readLedger(
  tx: Tx,
  after: LedgerPlace,
  isOneWallet: boolean,
  limit: number,
): Promise<Entry[]> {
  const statement = isOneWallet ? ledgerOfWalletSql : ledgerSql;
  return (await tx.query<EntryRow>(statement, [after.walletId, after.seq, limit])).map(toEntry);
}

const hashSql = sql(
  'entry_hash',
  'SELECT hash FROM transactions WHERE wallet_id = $1 AND seq = $2',
);

/** The hash of a wallet's entry; undefined if there is none. */
export async function findHash(
  tx: Tx,
  { walletId, seq }: LedgerPlace,
): Promise<Buffer | undefined> {
  const [row] = await tx.query<{ hash: Buffer }>(hashSql, [walletId, seq]);
  return row?.hash;
}

const balanceAtSql = sql(
  'balance_at',
  // Times grow with seq, so the last entry up to a time is found by halving, not by an index on
  // time.
  `WITH RECURSIVE search (low, high) AS (
     SELECT 0::bigint, $2::bigint
     UNION ALL
     SELECT CASE WHEN t.occurred_at <= $3 THEN t.seq ELSE s.low END,
            CASE WHEN t.occurred_at <= $3 THEN s.high ELSE t.seq - 1 END
     FROM search s
     JOIN transactions t ON t.wallet_id = $1 AND t.seq = (s.low + s.high + 1) / 2
     WHERE s.low < s.high)
   SELECT t.balance_after, t.seq, t.occurred_at, t.held_after FROM search s
   JOIN transactions t ON t.wallet_id = $1 AND t.seq = s.low
   WHERE s.low = s.high`,
);

/**
 * The wallet as it stood at a time (milliseconds, inclusive): its balance, seq, last time, and what
 * was held then, holds whose time was over included.
 */
export async function readWalletAt(
  tx: Tx,
  wallet: WalletState,
  atMs: number,
): Promise<WalletState> {
  type Row = Pick<EntryRow, 'balance_after' | 'seq' | 'occurred_at' | 'held_after'>;
  const at = new Date(atMs).toISOString();
  const [row] = await tx.query<Row>(balanceAtSql, [wallet.id, wallet.seq, at]);
  if (!row) return { ...wallet, balanceMinor: 0n, seq: 0n, lastAtMs: 0, held: undefined };
  const { balance_after: balanceMinor, seq, occurred_at: lastAtMs, held_after: heldMinor } = row;
  const held = heldMinor === null ? undefined : { heldMinor, nextExpiryMs: 0 };
  return { ...wallet, balanceMinor, seq, lastAtMs, held };
}

const listAfter = `SELECT ${walletColumns} FROM wallets w WHERE w.id > $1`;
// Also a row that was set back to seq 0 while its entries are there: such a wallet is corrupt.
const opened = `(w.seq > 0 OR w.terms_no > 0 OR
  (SELECT true FROM transactions WHERE wallet_id = w.id LIMIT 1))`;
const listWalletsStatements = {
  all: {
    page: sql('wallet_list', `${listAfter} ORDER BY w.id LIMIT $2`),
    one: sql('wallet_list_one', `${listAfter} AND w.id = $3 LIMIT $2`),
  },
  opened: {
    page: sql('wallet_list_opened', `${listAfter} AND ${opened} ORDER BY w.id LIMIT $2`),
    one: sql('wallet_list_opened_one', `${listAfter} AND w.id = $3 AND ${opened} LIMIT $2`),
  },
};

/**
 * All wallets, or `onlyId` if it is given: a page in order of id. `all`: also those that were never
 * opened, and only have a read watermark.
 */
export async function listWallets(
  tx: Tx,
  which: 'all' | 'opened',
  page: { readonly afterId: string; readonly onlyId: string | undefined; readonly limit: number },
): Promise<WalletState[]> {
  const statements = listWalletsStatements[which];
  const rows =
    page.onlyId === undefined
      ? await tx.query<WalletRow>(statements.page, [page.afterId, page.limit])
      : await tx.query<WalletRow>(statements.one, [page.afterId, page.limit, page.onlyId]);
  return rows.map(toWallet);
}

const parentsSql = sql(
  'entry_parents_of_owners',
  `SELECT t.id, w.user_id, w.currency, t.contra_account, t.amount < 0 AS is_debit
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(id, user_id)
   CROSS JOIN LATERAL (SELECT * FROM transactions WHERE id = asked.id OFFSET 0) t
   ${joinWallet}
   WHERE w.user_id = asked.user_id`,
);

type ParentRow = {
  id: string;
  user_id: string;
  currency: string;
  contra_account: string;
  is_debit: boolean;
};

type Parent = {
  readonly currency: string;
  readonly contraAccount: string;
  readonly isDebit: boolean;
};

/**
 * Currency, contra account and direction of each of these owners' transactions that exists, by both
 * ids.
 */
export async function findParents(
  tx: Tx,
  keys: readonly { readonly id: string; readonly userId: string }[],
): Promise<ReadonlyMap<string, Parent>> {
  const rows = await tx.query<ParentRow>(parentsSql, [
    keys.map((key) => key.id),
    keys.map((key) => key.userId),
  ]);
  return new Map(
    rows.map((row) => [
      `${row.user_id} ${row.id}`,
      { currency: row.currency, contraAccount: row.contra_account, isDebit: row.is_debit },
    ]),
  );
}
