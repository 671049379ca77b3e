import { parseMetadata } from '../../core/chain.ts';
import { isUuid } from '../../core/ids.ts';
import { operationOfCode, operationTable } from '../../core/operations.ts';
import { chainedColumns } from '../../core/statement-format/index.ts';
import { findFields, type TakeRow } from '../platform/db/copy.ts';
import { sql, type Statement, type Tx } from '../platform/db/db.ts';
import {
  rowsOfArrays,
  toHashArray,
  toInt2Array,
  toInt8Array,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from '../platform/db/sql-arrays.ts';
import type { Extent, Line, Range } from './domain.ts';
import type { Totals } from './pages/running-totals.ts';

/** The table's columns, in the order of `columnsOf`. */
export const lineTypes = {
  wallet_id: 'uuid',
  seq: 'bigint',
  transaction_id: 'uuid',
  user_id: 'uuid',
  currency: 'text',
  operation: 'smallint',
  amount: 'bigint',
  balance_after: 'bigint',
  contra_account: 'text',
  parent_id: 'uuid',
  description: 'text',
  occurred_at: 'timestamptz',
  hash: 'bytea',
  previous_hash: 'bytea',
  source: 'text',
  actor: 'text',
  metadata: 'text',
};
const insertText = `INSERT INTO statement_lines (${Object.keys(lineTypes).join(', ')})
   SELECT * FROM (${rowsOfArrays(lineTypes)}) AS line
   -- In the order of the key: neighbours share pages, and two batches never wait in a circle.
   ORDER BY wallet_id, seq`;

const appendSql = sql('line_append', insertText);
const insertSql = sql('line_insert', `${insertText} ON CONFLICT (wallet_id, seq) DO NOTHING`);

/**
 * Adds lines that are expected to be new. Rejects with a unique violation if one is there already.
 * Cheaper than `insertLines`, for which the server looks each line up before it adds it.
 */
export async function appendLines(tx: Tx, lines: readonly Line[]): Promise<void> {
  await tx.execute(appendSql, columnsOf(lines));
}

/** Adds lines; those that are there already stay as they are. */
export async function insertLines(tx: Tx, lines: readonly Line[]): Promise<void> {
  await tx.execute(insertSql, columnsOf(lines));
}

/** A line's columns, in the order of the table, as arrays. */
export function columnsOf(lines: readonly Line[]): Buffer[] {
  return [
    toUuidArray(lines, (l) => l.walletId),
    toInt8Array(lines, (l) => l.seq),
    toUuidArray(lines, (l) => l.transactionId),
    toUuidArray(lines, (l) => l.userId),
    toTextArray(lines, (l) => l.currency),
    toInt2Array(lines, (l) => operationTable[l.operation].code),
    toInt8Array(lines, (l) => l.amountMinor),
    toInt8Array(lines, (l) => l.balanceAfterMinor),
    toTextArray(lines, (l) => l.contraAccount),
    toUuidArray(lines, (l) => l.parentId),
    toTextArray(lines, (l) => l.description),
    toTimeArray(lines, (l) => l.occurredAtMs),
    toHashArray(lines, (l) => l.hash),
    toHashArray(lines, (l) => l.previousHash),
    toTextArray(lines, (l) => l.source),
    toTextArray(lines, (l) => l.actor),
    toTextArray(lines, (l) => metadataText(l.metadata)),
  ];
}

function metadataText(metadata: Line['metadata']): string | undefined {
  for (const _key in metadata) return JSON.stringify(metadata);
  return undefined;
}

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
   SELECT l.seq, l.balance_after FROM search s
   JOIN LATERAL (
     SELECT seq, balance_after FROM statement_lines
     WHERE wallet_id = $1 AND seq <= s.low ORDER BY seq DESC LIMIT 1) l ON true
   WHERE s.low = s.high`,
);

const sums = `count(*) AS count,
     coalesce(-sum(amount) FILTER (WHERE amount < 0 AND seq > $2), 0)::text AS debit,
     coalesce(sum(amount) FILTER (WHERE amount > 0 AND seq > $2), 0)::text AS credit`;
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
    // The line where the known part ends is counted in both.
    lineCount: known ? known.lineCount + added.count - 1n : added.count,
    totalDebitMinor: (known?.totalDebitMinor ?? 0n) + added.debitMinor,
    totalCreditMinor: (known?.totalCreditMinor ?? 0n) + added.creditMinor,
    nextSeq: next?.seq,
    brokenSeq: added.brokenSeq,
  };
}

/** The last line before a time, up to `maxSeq`; seq 0 if there is none. */
export async function findLastBefore(tx: Tx, walletId: string, maxSeq: bigint, timeMs: number) {
  type Row = { seq: bigint; balance_after: bigint };
  const time = new Date(timeMs).toISOString();
  const [row] = await tx.query<Row>(beforeSql, [walletId, maxSeq, time]);
  return { seq: row?.seq ?? 0n, balanceMinor: row?.balance_after ?? 0n };
}

/** Of the lines of a wallet after one seq through another; the first is counted as well. */
async function readSums(tx: Tx, statement: Statement, values: readonly unknown[]) {
  type Row = { count: bigint; debit: string; credit: string; broken_seq: bigint | null };
  const [row] = await tx.query<Row>(statement, values);
  if (!row) throw new Error('the database gave no sums');
  return {
    count: row.count,
    debitMinor: BigInt(row.debit),
    creditMinor: BigInt(row.credit),
    brokenSeq: row.broken_seq ?? undefined,
  };
}

const pageSql = (direction: 'ASC' | 'DESC') =>
  sql(
    `line_page_${direction.toLowerCase()}`,
    `SELECT * FROM statement_lines
     WHERE wallet_id = $1 AND user_id = $2 AND seq > $3 AND seq < $4
     ORDER BY seq ${direction} LIMIT $5`,
  );
const pageAscendingSql = pageSql('ASC');
const pageDescendingSql = pageSql('DESC');

export type LineRow = {
  wallet_id: string;
  seq: bigint;
  transaction_id: string;
  user_id: string;
  currency: string;
  operation: number;
  amount: bigint;
  balance_after: bigint;
  contra_account: string;
  parent_id: string | null;
  description: string | null;
  occurred_at: number;
  hash: Buffer;
  previous_hash: Buffer | null;
  source: string | null;
  actor: string | null;
  metadata: string | null;
};

/** Lines of an owner's wallet with `afterSeq` < seq < `beforeSeq`. */
export async function readLines(
  tx: Tx,
  wallet: { readonly id: string; readonly userId: string },
  page: {
    readonly afterSeq: bigint;
    readonly beforeSeq: bigint;
    readonly isDescending: boolean;
    readonly limit: number;
  },
): Promise<Line[]> {
  const rows = await tx.query<LineRow>(page.isDescending ? pageDescendingSql : pageAscendingSql, [
    wallet.id,
    wallet.userId,
    page.afterSeq,
    page.beforeSeq,
    page.limit,
  ]);
  return rows.map(toLine);
}

/**
 * Hands over the lines of an owner's wallet with `afterSeq` < seq ≤ `throughSeq`, in order of seq,
 * as rows that `createRowReader` reads.
 */
export async function copyLines(
  tx: Tx,
  wallet: { readonly id: string; readonly userId: string },
  range: { readonly afterSeq: bigint; readonly throughSeq: bigint },
  take: TakeRow,
): Promise<void> {
  if (!isUuid(wallet.id) || !isUuid(wallet.userId)) throw new Error('not the id of a wallet');
  // Both ends by seq: without statistics a limit alone is met by sorting all the rest.
  const query = `SELECT ${chainedColumns.join(', ')}
    FROM statement_lines
    WHERE wallet_id = '${wallet.id}' AND user_id = '${wallet.userId}'
      AND seq > ${range.afterSeq} AND seq <= ${range.throughSeq}
    ORDER BY seq`;
  await tx.copyOut(`COPY (${query}) TO STDOUT (FORMAT binary)`, (bytes, start, end) => {
    const at = findFields(bytes, start, end);
    if (at !== undefined) take(bytes, at, end);
  });
}

const noMetadata: Line['metadata'] = {};

export function toLine(row: LineRow): Line {
  return {
    walletId: row.wallet_id,
    seq: row.seq,
    transactionId: row.transaction_id,
    userId: row.user_id,
    currency: row.currency,
    operation: operationOfCode(row.operation),
    amountMinor: row.amount,
    balanceAfterMinor: row.balance_after,
    contraAccount: row.contra_account,
    parentId: row.parent_id ?? undefined,
    description: row.description ?? undefined,
    occurredAtMs: row.occurred_at,
    hash: row.hash.toString('hex'),
    // Absent in lines of before these columns: their hash then does not match.
    previousHash: row.previous_hash?.toString('hex') ?? '',
    source: row.source ?? '',
    actor: row.actor ?? '',
    metadata: row.metadata === null ? noMetadata : parseMetadata(row.metadata),
  };
}
