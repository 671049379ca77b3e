import { sql, type Tx } from '../../platform/db/db.ts';
import {
  rowsOfArrays,
  toHashArray,
  toInt8Array,
  toTextArray,
  toTimeArray,
  toUuidArray,
} from '../../platform/db/sql-arrays.ts';
import type { Line } from '../domain.ts';
import type { LinePlace } from '../rebuild/store.ts';
import { toLine, type LineRow } from '../store.ts';
import type { LineTag } from './tags.ts';

const tagTypes = {
  tag: 'text',
  occurred_at: 'timestamptz',
  wallet_id: 'uuid',
  seq: 'bigint',
  hash: 'bytea',
};

// Of lines that are there. Where another line is at the place, the tag is not that line's.
const insertSql = sql(
  'tag_insert',
  `INSERT INTO line_tags (tag, occurred_at, wallet_id, seq)
   SELECT t.tag, t.occurred_at, t.wallet_id, t.seq FROM (${rowsOfArrays(tagTypes)}) AS t
   CROSS JOIN LATERAL (SELECT hash FROM statement_lines
     WHERE wallet_id = t.wallet_id AND seq = t.seq OFFSET 0) AS l
   WHERE l.hash = t.hash
   ORDER BY t.tag, t.occurred_at, t.wallet_id, t.seq
   ON CONFLICT (tag, occurred_at, wallet_id, seq) DO NOTHING`,
);

/** Adds tags of lines that were added in the same transaction, or before; each once. */
export async function insertTags(tx: Tx, tags: readonly LineTag[]): Promise<void> {
  if (tags.length === 0) return;
  await tx.execute(insertSql, [
    toTextArray(tags, (t) => t.tag),
    toTimeArray(tags, (t) => t.occurredAtMs),
    toUuidArray(tags, (t) => t.walletId),
    toInt8Array(tags, (t) => t.seq),
    toHashArray(tags, (t) => t.hash),
  ]);
}

const removeSql = sql(
  'tag_remove',
  `DELETE FROM line_tags t USING unnest($1::uuid[], $2::bigint[]) AS gone(wallet_id, seq)
   WHERE t.wallet_id = gone.wallet_id AND t.seq = gone.seq`,
);

/** Removes all tags of these places. */
export async function removeTags(tx: Tx, places: readonly LinePlace[]): Promise<void> {
  await tx.execute(removeSql, [places.map((p) => p.walletId), places.map((p) => p.seq)]);
}

const rangeSql = sql(
  'tag_range',
  `SELECT wallet_id, seq, tag FROM line_tags
   WHERE (wallet_id, seq) > ($1::uuid, $2::bigint) AND (wallet_id, seq) <= ($3::uuid, $4::bigint)`,
);

/** The tags after one place and up to another, by their places: `walletId seq`. */
export async function readTagsBetween(
  tx: Tx,
  after: LinePlace,
  last: LinePlace,
): Promise<ReadonlyMap<string, readonly string[]>> {
  type Row = { wallet_id: string; seq: bigint; tag: string };
  const values = [after.walletId, after.seq, last.walletId, last.seq];
  const found = new Map<string, string[]>();
  for (const { wallet_id: walletId, seq, tag } of await tx.query<Row>(rangeSql, values)) {
    const key = `${walletId} ${seq}`;
    const tags = found.get(key);
    if (tags) tags.push(tag);
    else found.set(key, [tag]);
  }
  return found;
}

/** A place with a tag, and its line if there is one. */
export type Found = LinePlace & { readonly occurredAtMs: number; readonly line: Line | undefined };

type FoundRow = { [Name in keyof LineRow]: LineRow[Name] | null } & {
  tag_wallet: string;
  tag_seq: bigint;
  tag_time: number;
};

const withLines = (tags: string): string =>
  `SELECT t.wallet_id AS tag_wallet, t.seq AS tag_seq, t.occurred_at AS tag_time, l.*
   FROM (${tags}) AS t
   LEFT JOIN LATERAL (SELECT * FROM statement_lines
     WHERE wallet_id = t.wallet_id AND seq = t.seq OFFSET 0) AS l ON true`;

const ofWalletSql = sql(
  'tag_of_wallet',
  `${withLines(
    `SELECT * FROM line_tags WHERE wallet_id = $1 AND tag = $2 AND seq < $3
     ORDER BY seq DESC LIMIT $4`,
  )} ORDER BY t.seq DESC`,
);

const ofAllSql = sql(
  'tag_of_all',
  `${withLines(
    `SELECT * FROM line_tags
     WHERE tag = $1 AND (occurred_at, wallet_id, seq) < ($2::timestamptz, $3::uuid, $4::bigint)
     ORDER BY occurred_at DESC, wallet_id DESC, seq DESC LIMIT $5`,
  )} ORDER BY t.occurred_at DESC, t.wallet_id DESC, t.seq DESC`,
);

const toFound = (row: FoundRow): Found => ({
  walletId: row.tag_wallet,
  seq: row.tag_seq,
  occurredAtMs: row.tag_time,
  line: row.wallet_id === null ? undefined : toLine(row as LineRow),
});

/** Places of a wallet with this tag and a lower seq, the highest first. */
export async function findInWallet(
  tx: Tx,
  { walletId, tag }: Pick<LineTag, 'walletId' | 'tag'>,
  beforeSeq: bigint,
  limit: number,
): Promise<Found[]> {
  const values = [walletId, tag, beforeSeq, limit];
  return (await tx.query<FoundRow>(ofWalletSql, values)).map(toFound);
}

/** Places of all wallets with this tag before another one, the latest first. */
export async function findInAll(
  tx: Tx,
  tag: string,
  before: LinePlace & { readonly occurredAtMs: number },
  limit: number,
): Promise<Found[]> {
  const at = new Date(before.occurredAtMs).toISOString();
  const values = [tag, at, before.walletId, before.seq, limit];
  return (await tx.query<FoundRow>(ofAllSql, values)).map(toFound);
}

const countSql = sql(
  'tag_lines_count',
  'SELECT count(*) AS lines FROM statement_lines WHERE wallet_id = $1 AND seq > $2 AND seq <= $3',
);

/** How many lines of a wallet there are with `afterSeq` < seq ≤ `throughSeq`. */
export async function countLines(
  tx: Tx,
  walletId: string,
  afterSeq: bigint,
  throughSeq: bigint,
): Promise<bigint> {
  const [row] = await tx.query<{ lines: bigint }>(countSql, [walletId, afterSeq, throughSeq]);
  return row?.lines ?? 0n;
}

const dropKeysSql = sql('search_keys_drop', 'DELETE FROM search_keys WHERE key <> ALL($1::text[])');
const addKeysSql = sql(
  'search_keys_add',
  `INSERT INTO search_keys (key, is_complete)
   SELECT key, NOT EXISTS (SELECT FROM statement_lines) FROM unnest($1::text[]) AS key
   ON CONFLICT (key) DO NOTHING`,
);

/**
 * Notes which keys lines are tagged with from now on. One that is new where lines are there already
 * is incomplete.
 */
export async function noteKeys(tx: Tx, keys: readonly string[]): Promise<void> {
  await tx.execute(dropKeysSql, [keys]);
  await tx.execute(addKeysSql, [keys]);
}

const completeSql = sql(
  'search_keys_complete',
  'UPDATE search_keys SET is_complete = true WHERE key = ANY($1::text[]) AND NOT is_complete',
);

/** After a rebuild of all wallets: each line has its tags. */
export async function completeKeys(tx: Tx, keys: readonly string[]): Promise<void> {
  await tx.execute(completeSql, [keys]);
}

const isCompleteSql = sql('search_key_read', 'SELECT is_complete FROM search_keys WHERE key = $1');

/** Whether each line that has the key has its tag. */
export async function isKeyComplete(tx: Tx, key: string): Promise<boolean> {
  const [row] = await tx.query<{ is_complete: boolean }>(isCompleteSql, [key]);
  return row?.is_complete ?? false;
}
