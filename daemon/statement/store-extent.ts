import { sql, type Statement, type Tx } from '../platform/db/db.ts';
import type { Extent, Range } from './domain.ts';
import type { Totals } from './pages/running-totals.ts';

const lastSeqSql = sql(
  'line_last_seq',
  'SELECT seq FROM statement_lines WHERE wallet_id = $1 ORDER BY seq DESC LIMIT 1',
);

const beforeSql = sql(
  'line_before',
  // Times grow with seq: halving finds the last line before a time, whatever lines are missing.
  `WITH RECURSIVE search (low, high) AS (
     SELECT 0::bigint, $2::bigint
     UNION ALL
     SELECT CASE WHEN l.occurred_at < $3 THEN m.middle
              WHEN l.seq IS NULL THEN m.middle ELSE s.low END,
            CASE WHEN l.occurred_at >= $3 THEN l.seq - 1 ELSE s.high END
     FROM search s
     CROSS JOIN LATERAL (SELECT (s.low + s.high + 1) / 2 AS middle) m
     LEFT JOIN LATERAL (
       SELECT seq, occurred_at FROM statement_lines
       WHERE wallet_id = $1 AND seq <= m.middle ORDER BY seq DESC LIMIT 1) l ON true
     WHERE s.low < s.high)
   SELECT l.seq, l.balance_after, l.held_after FROM search s
   JOIN LATERAL (
     SELECT seq, balance_after, held_after FROM statement_lines
     WHERE wallet_id = $1 AND seq <= s.low ORDER BY seq DESC LIMIT 1) l ON true
   WHERE s.low = s.high`,
);

const sums = `count(*) AS count,
     coalesce(-sum(amount) FILTER (WHERE amount < 0 AND seq > $2), 0)::text AS debit,
     coalesce(sum(amount) FILTER (WHERE amount > 0 AND seq > $2), 0)::text AS credit,
     count(*) FILTER (WHERE amount = 0 AND seq > $2) AS holds`;
const summed = 'FROM statement_lines WHERE wallet_id = $1 AND seq BETWEEN $2 AND $3';

const sumsSql = sql(
  'line_sums',
  `SELECT ${sums},
     min(seq) FILTER (WHERE before_seq = seq - 1 AND previous_hash IS DISTINCT FROM before_hash)
       AS broken_seq
   FROM (SELECT seq, amount, previous_hash,
       lag(seq) OVER chain AS before_seq, lag(hash) OVER chain AS before_hash
     ${summed} WINDOW chain AS (ORDER BY seq)) l`,
);

/** The same without the links, at a tenth of the cost. */
const unlinkedSumsSql = sql(
  'line_unlinked_sums',
  `SELECT ${sums}, NULL::bigint AS broken_seq ${summed}`,
);

const nextSeqSql = sql(
  'line_next_seq',
  'SELECT seq FROM statement_lines WHERE wallet_id = $1 AND seq > $2 ORDER BY seq LIMIT 1',
);

type ExtentOptions = {
  /** May give the sums of a part that begins with the range's first line. */
  readonly findSums?: (openingSeq: bigint, closingSeq: bigint) => Totals | undefined;
  /** False for a caller that verifies the links itself. */
  readonly hasLinks?: boolean;
};

/**
 * What the projection holds of a range, up to `throughSeq` at most. `tx` must be a snapshot.
 */
export async function readExtent(
  tx: Tx,
  walletId: string,
  range: Range,
  throughSeq: bigint | undefined,
  { findSums, hasLinks = true }: ExtentOptions = {},
): Promise<Extent> {
  const [last] = await tx.query<{ seq: bigint }>(lastSeqSql, [walletId]);
  const lastSeq = last?.seq ?? 0n;
  const maxSeq = throughSeq !== undefined && throughSeq < lastSeq ? throughSeq : lastSeq;
  const opening = await findLastBefore(tx, walletId, maxSeq, range.fromMs);
  const closing = await findLastBefore(tx, walletId, maxSeq, range.toMs);
  const known = findSums?.(opening.seq, closing.seq);
  const added = await readSums(tx, hasLinks ? sumsSql : unlinkedSumsSql, [
    ...[walletId, known?.throughSeq ?? opening.seq, closing.seq],
  ]);
  const [next] = await tx.query<{ seq: bigint }>(nextSeqSql, [walletId, closing.seq]);
  return {
    openingSeq: opening.seq,
    openingMinor: opening.balanceMinor,
    closingSeq: closing.seq,
    closingMinor: closing.balanceMinor,
    heldClosingMinor: closing.heldMinor,
    // The line where the known part ends is counted in both.
    lineCount: known ? known.lineCount + added.count - 1n : added.count,
    totalDebitMinor: (known?.totalDebitMinor ?? 0n) + added.debitMinor,
    totalCreditMinor: (known?.totalCreditMinor ?? 0n) + added.creditMinor,
    holdCount: (known?.holdCount ?? 0n) + added.holds,
    nextSeq: next?.seq,
    brokenSeq: added.brokenSeq,
  };
}

/** The last line before a time, up to `maxSeq`; seq 0 if there is none. */
export async function findLastBefore(tx: Tx, walletId: string, maxSeq: bigint, timeMs: number) {
  type Row = { seq: bigint; balance_after: bigint; held_after: bigint | null };
  const time = new Date(timeMs).toISOString();
  const [row] = await tx.query<Row>(beforeSql, [walletId, maxSeq, time]);
  const heldMinor = row?.held_after ?? 0n;
  return { seq: row?.seq ?? 0n, balanceMinor: row?.balance_after ?? 0n, heldMinor };
}

/** Of the lines of a wallet after one seq through another; the first is counted as well. */
async function readSums(tx: Tx, statement: Statement, values: readonly unknown[]) {
  type Counts = { count: bigint; holds: bigint; broken_seq: bigint | null };
  type Row = Counts & { debit: string; credit: string };
  const [row] = await tx.query<Row>(statement, values);
  if (!row) throw new Error('the database gave no sums');
  return {
    count: row.count,
    debitMinor: BigInt(row.debit),
    creditMinor: BigInt(row.credit),
    holds: row.holds,
    brokenSeq: row.broken_seq ?? undefined,
  };
}
