import { sql, type Tx } from '../../platform/db/db.ts';

const positionSql = sql(
  'ledger_position',
  'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS position',
);

/**
 * A position in the order of commits: transactions of the database that begin to write from now on
 * have an id at or after it. Transaction ids, unlike times, are not set by a clock.
 */
export async function readPosition(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ position: string }>(positionSql);
  if (!row) throw new Error('the database gave no position');
  return row.position;
}

/** An xid8 as `readPosition` gives it. */
export const isPosition = (text: string): boolean => /^[1-9]\d{0,18}$/.test(text);

const madeSinceSql = sql(
  'entry_made_since',
  // Rows are never updated, so xmin is the transaction that inserted them. age() counts back from
  // the next id, past the point where the 32 bits of xmin wrap; a frozen row keeps its xmin, and a
  // position of another database lies ahead and selects nothing.
  `SELECT id FROM transactions
   WHERE id = ANY($1::uuid[]) AND age(xmin) BETWEEN 0 AND age($2::text::xid8::xid)
     AND $2::text::xid8 <= pg_snapshot_xmax(pg_current_snapshot())`,
);

/** Which of these entries were inserted at or after a position. */
export async function findMadeSince(
  tx: Tx,
  ids: readonly string[],
  position: string,
): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: string }>(madeSinceSql, [ids, position]);
  return new Set(rows.map(({ id }) => id));
}
