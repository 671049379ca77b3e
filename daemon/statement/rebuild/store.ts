import { sql, type Tx } from '../../platform/db/db.ts';
import { rowsOfArrays } from '../../platform/db/sql-arrays.ts';
import type { Line } from '../domain.ts';
import { columnsOf, lineTypes, toLine, type LineRow } from '../store.ts';

/** A place in the projection, in order of wallet and seq. */
export type LinePlace = { readonly walletId: string; readonly seq: bigint };

const pageSql = sql(
  'rebuild_page',
  `SELECT * FROM statement_lines
   WHERE (wallet_id, seq) > ($1::uuid, $2::bigint) ORDER BY wallet_id, seq LIMIT $3`,
);

const walletPageSql = sql(
  'rebuild_wallet_page',
  'SELECT * FROM statement_lines WHERE wallet_id = $1 AND seq > $2 ORDER BY seq LIMIT $3',
);

/** Lines after a place: of all wallets, or (`isOneWallet`) of the place's only. */
export async function readLinesAfter(
  tx: Tx,
  after: LinePlace,
  isOneWallet: boolean,
  limit: number,
): Promise<Line[]> {
  const statement = isOneWallet ? walletPageSql : pageSql;
  return (await tx.query<LineRow>(statement, [after.walletId, after.seq, limit])).map(toLine);
}

/** Without the key. */
const columns = Object.keys(lineTypes).filter((name) => name !== 'wallet_id' && name !== 'seq');

const repairSql = sql(
  'rebuild_repair',
  `INSERT INTO statement_lines AS l (${Object.keys(lineTypes).join(', ')})
   ${rowsOfArrays(lineTypes)}
   ON CONFLICT (wallet_id, seq) DO UPDATE
   SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}
   WHERE ${columns.map((name) => `l.${name} IS DISTINCT FROM excluded.${name}`).join(' OR ')}`,
);

/** Makes the lines what the ledger says. The number of those that were not. */
export async function repairLines(tx: Tx, lines: readonly Line[]): Promise<number> {
  return tx.execute(repairSql, columnsOf(lines));
}

const removeSql = sql(
  'rebuild_remove',
  `DELETE FROM statement_lines l USING unnest($1::uuid[], $2::bigint[]) AS extra(wallet_id, seq)
   WHERE l.wallet_id = extra.wallet_id AND l.seq = extra.seq`,
);

/** Takes out lines that the ledger does not have. Their number. */
export async function removeLines(tx: Tx, places: readonly LinePlace[]): Promise<number> {
  return tx.execute(removeSql, [places.map((p) => p.walletId), places.map((p) => p.seq)]);
}

const someSql = sql(
  'rebuild_some',
  `SELECT l.* FROM unnest($1::uuid[], $2::bigint[]) AS asked(wallet_id, seq)
   JOIN statement_lines l ON l.wallet_id = asked.wallet_id AND l.seq = asked.seq`,
);

/** The lines at these places, as far as there are any. */
export async function readLinesAt(tx: Tx, places: readonly LinePlace[]): Promise<Line[]> {
  const values = [places.map((p) => p.walletId), places.map((p) => p.seq)];
  return (await tx.query<LineRow>(someSql, values)).map(toLine);
}

const lastSql = sql(
  'line_last',
  'SELECT seq, hash FROM statement_lines WHERE wallet_id = $1 ORDER BY seq DESC LIMIT 1',
);

/** The last line of a wallet. */
export async function readLastLine(
  tx: Tx,
  walletId: string,
): Promise<{ readonly seq: bigint; readonly hash: string } | undefined> {
  const [row] = await tx.query<Pick<LineRow, 'seq' | 'hash'>>(lastSql, [walletId]);
  return row && { seq: row.seq, hash: row.hash.toString('hex') };
}
