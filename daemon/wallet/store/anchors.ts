import { sql, type Tx } from '../../platform/db/db.ts';
import { toInt8Array, toTimeArray, toUuidArray } from '../../platform/db/sql-arrays.ts';

/** A time in a wallet's history, whose last entry is `seq`. */
export type AnchorPlace = {
  readonly walletId: string;
  readonly seq: bigint;
  readonly startMs: number;
};

const anchorsSql = sql(
  'entry_anchors',
  // Times grow with seq, so the last entry before a time is found by halving, not by an index on
  // time. Each step is one lookup, spelt out, for the reason that `entry_by_id` has.
  `WITH RECURSIVE search (place, wallet_id, start_at, low, high) AS (
     SELECT place, wallet_id, start_at, 0::bigint, seq
     FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[])
       WITH ORDINALITY AS asked(wallet_id, seq, start_at, place)
     UNION ALL
     SELECT s.place, s.wallet_id, s.start_at,
            CASE WHEN t.occurred_at < s.start_at THEN t.seq ELSE s.low END,
            CASE WHEN t.occurred_at < s.start_at THEN s.high ELSE t.seq - 1 END
     FROM search s
     CROSS JOIN LATERAL (SELECT seq, occurred_at FROM transactions
       WHERE wallet_id = s.wallet_id AND seq = (s.low + s.high + 1) / 2 OFFSET 0) t
     WHERE s.low < s.high)
   SELECT s.place::int, t.debited_after FROM search s
   CROSS JOIN LATERAL (SELECT debited_after FROM transactions
     WHERE wallet_id = s.wallet_id AND seq = s.low OFFSET 0) t
   WHERE s.low = s.high`,
);

/** All debits of a wallet before each of these times (exclusive), in order; 0 if there are none. */
export async function readDebitedBefore(
  tx: Tx,
  places: readonly AnchorPlace[],
): Promise<readonly bigint[]> {
  if (places.length === 0) return [];
  const rows = await tx.query<{ place: number; debited_after: bigint }>(anchorsSql, [
    toUuidArray(places, ({ walletId }) => walletId),
    toInt8Array(places, ({ seq }) => seq),
    toTimeArray(places, ({ startMs }) => startMs),
  ]);
  const found = new Map(rows.map((row) => [row.place, row.debited_after]));
  return places.map((_place, i) => found.get(i + 1) ?? 0n);
}
