import { parseMetadata, toChainedMore, toMoreColumns } from '../../core/chain.ts';
import { isUuid } from '../../core/ids.ts';
import { operationOfCode, operationTable } from '../../core/operations.ts';
import { chainedColumns } from '../../core/statement-format/index.ts';
import { findFields, type TakeRow } from '../platform/db/copy.ts';
import { sql, type Tx } from '../platform/db/db.ts';
import {
  rowsOfArrays,
  toHashArray,
  toInt2Array,
  toInt8Array,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from '../platform/db/sql-arrays.ts';
import type { Line } from './domain.ts';

/** The table's columns, in the order of `columnsOf`, but for those that most lines do not have. */
const plainTypes = {
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
/** All of the table's columns, in the order of `columnsOf`. */
export const lineTypes = {
  ...plainTypes,
  held: 'bigint',
  held_after: 'bigint',
  parent_used: 'bigint',
  group_id: 'uuid',
};
const insertOf = (types: Readonly<Record<string, string>>): string =>
  `INSERT INTO statement_lines (${Object.keys(types).join(', ')})
   SELECT * FROM (${rowsOfArrays(types)}) AS line
   -- In the order of the key: neighbours share pages, and two batches never wait in a circle.
   ORDER BY wallet_id, seq`;

const appendSql = sql('line_append', insertOf(plainTypes));
const appendFullSql = sql('line_append_full', insertOf(lineTypes));
const insertSql = sql(
  'line_insert',
  `${insertOf(lineTypes)} ON CONFLICT (wallet_id, seq) DO NOTHING`,
);

/**
 * Adds lines that are expected to be new. Rejects with a unique violation if one is there already.
 * Cheaper than `insertLines`, for which the server looks each line up before it adds it.
 */
export async function appendLines(tx: Tx, lines: readonly Line[]): Promise<void> {
  if (lines.every(({ more }) => more === undefined)) await tx.execute(appendSql, plainOf(lines));
  else await tx.execute(appendFullSql, columnsOf(lines));
}

/** Adds lines; those that are there already stay as they are. */
export async function insertLines(tx: Tx, lines: readonly Line[]): Promise<void> {
  await tx.execute(insertSql, columnsOf(lines));
}

/** A line's columns, in the order of the table, as arrays. */
export function columnsOf(lines: readonly Line[]): Buffer[] {
  const more = lines.map((line) => (line.more ? toMoreColumns(line.more) : undefined));
  return [
    ...plainOf(lines),
    toInt8Array(more, (m) => m?.held),
    toInt8Array(more, (m) => m?.heldAfter),
    toInt8Array(more, (m) => m?.parentUsed),
    toUuidArray(more, (m) => m?.groupId),
  ];
}

function plainOf(lines: readonly Line[]): Buffer[] {
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
  held: bigint | null;
  held_after: bigint | null;
  parent_used: bigint | null;
  group_id: string | null;
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
    more: toChainedMore({
      held: row.held,
      heldAfter: row.held_after,
      parentUsed: row.parent_used,
      groupId: row.group_id,
    }),
  };
}
