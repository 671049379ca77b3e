import type { HoldEntry, OpenHolds } from '../../../core/ledger-check/index.ts';
import { operationTable } from '../../../core/operations.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import { sourceCodes } from '../store/store.ts';
import { usedAfter, type IdSpan } from './store.ts';

const usesOf = 'FROM transactions WHERE wallet_id = asked.wallet_id AND parent_id = asked.id';

const holdsSql = sql(
  'verify_holds',
  // Lookups per hold, spelt out, for the reason that `entry_by_id` has.
  `SELECT h.seq, h.amount, h.used, h.captured, h.state, h.contra_account, h.placed_at,
     h.expires_at, h.closed_at, l.used_after AS uses_end, l.occurred_at AS last_at,
     l.source = ${sourceCodes.system} AS last_of_system,
     (SELECT sum(-amount) ${usesOf} AND operation = ${operationTable.capture.code})::text
       AS uses_captured
   FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked(id, wallet_id, place)
   LEFT JOIN LATERAL (SELECT * FROM holds
     WHERE wallet_id = asked.wallet_id AND id = asked.id OFFSET 0) h ON true
   LEFT JOIN LATERAL (SELECT ${usedAfter} AS used_after, occurred_at, source ${usesOf}
     ORDER BY coalesce(parent_used, 0) DESC LIMIT 1) l ON true
   ORDER BY asked.place`,
);

/** The row of a hold, and what its uses come to; nulls where there is none. */
export type HoldFactsRow = {
  seq: bigint | null;
  amount: bigint | null;
  used: bigint | null;
  captured: bigint | null;
  state: string | null;
  contra_account: string | null;
  placed_at: number | null;
  expires_at: number | null;
  closed_at: number | null;
  uses_end: bigint | null;
  /** A sum of edited amounts may be too large for a column. */
  uses_captured: string | null;
  last_at: number | null;
  last_of_system: boolean | null;
};

/** In the order of the holds. */
export const findHolds = (tx: Tx, holds: readonly HoldEntry[]): Promise<HoldFactsRow[]> =>
  tx.query<HoldFactsRow>(holdsSql, [holds.map((h) => h.id), holds.map((h) => h.walletId)]);

const firstOpenSql = sql(
  'verify_first_open_hold',
  `SELECT h.id, h.expires_at FROM unnest($1::uuid[]) WITH ORDINALITY AS asked(wallet_id, place)
   LEFT JOIN LATERAL (SELECT id, expires_at FROM holds
     WHERE wallet_id = asked.wallet_id AND state = 'open'
     ORDER BY expires_at, id LIMIT 1) h ON true
   ORDER BY asked.place`,
);

/** The open hold of each wallet that expires first, in the order of the wallets. */
export const findFirstOpen = (tx: Tx, wallets: readonly OpenHolds[]) =>
  tx.query<{ id: string | null; expires_at: number | null }>(firstOpenSql, [
    wallets.map(({ walletId }) => walletId),
  ]);

const countSql = sql(
  'verify_count_holds',
  'SELECT count(*) AS count FROM holds WHERE wallet_id >= $1 AND wallet_id <= $2',
);

/** How many rows of holds the wallets of a span have. */
export async function countHolds(tx: Tx, { first, last }: IdSpan): Promise<number> {
  const [row] = await tx.query<{ count: bigint }>(countSql, [first, last]);
  return Number(row?.count ?? 0n);
}

const unknownSql = sql(
  'verify_unknown_holds',
  `SELECT h.wallet_id, h.seq, h.id FROM holds h
   WHERE (h.wallet_id, h.id) > ($1, $2) AND h.wallet_id <= $3 AND NOT EXISTS (
     SELECT FROM transactions t WHERE t.id = h.id AND t.wallet_id = h.wallet_id
       AND t.operation = ${operationTable.hold.code} OFFSET 0)
   ORDER BY h.wallet_id, h.id LIMIT $4`,
);

/** Rows of holds that no entry has placed, behind a wallet and id, in order of both. */
export const readUnknownHolds = (
  tx: Tx,
  after: { readonly walletId: string; readonly id: string },
  lastWalletId: string,
  limit: number,
) =>
  tx.query<{ wallet_id: string; seq: bigint; id: string }>(unknownSql, [
    ...[after.walletId, after.id, lastWalletId, limit],
  ]);
