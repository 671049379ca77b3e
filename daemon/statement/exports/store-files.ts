import type { Db, Tx } from '../../platform/db/db.ts';
import { sql } from '../../platform/db/db.ts';

/** Some 50 MB: soon deleted, however large a file is as a whole. */
const chunksAtOnce = 200;

const pruneSql = sql(
  'export_chunk_prune',
  `DELETE FROM export_chunks WHERE (export_id, attempt, n) IN (
     SELECT export_id, attempt, n FROM export_chunks
     WHERE export_id = $1 AND attempt <> $2 LIMIT $3)`,
);

/** Deletes what other attempts have left, in short transactions; 0 keeps none. */
export async function pruneChunks(db: Db, id: string, keptAttempt: number): Promise<void> {
  const prune = (tx: Tx): Promise<number> => tx.execute(pruneSql, [id, keptAttempt, chunksAtOnce]);
  while ((await db.tx(prune)) >= chunksAtOnce);
}

const expireSql = sql(
  'export_expire',
  `UPDATE exports
   SET status = 'expired',
     mail_state = CASE WHEN mail_state = 'waiting' THEN 'failed' ELSE mail_state END,
     mail_failure =
       CASE WHEN mail_state = 'waiting' THEN 'the file has expired' ELSE mail_failure END
   WHERE id = (
     SELECT id FROM exports WHERE status = 'done' AND expires_at <= clock_timestamp()
     ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED)
   RETURNING id`,
);

/** Expires one export whose time has come. Its id, or undefined if there is none. */
export async function expireExport(tx: Tx): Promise<string | undefined> {
  const [row] = await tx.query<{ id: string }>(expireSql);
  return row?.id;
}

const endedSql = sql(
  'export_file_left',
  `SELECT id FROM exports
   WHERE status IN ('failed', 'inconsistent', 'expired') AND NOT is_file_deleted
   LIMIT 1 FOR UPDATE SKIP LOCKED`,
);
const goneSql = sql('export_file_gone', 'UPDATE exports SET is_file_deleted = true WHERE id = $1');

/** Deletes a portion of a file whose export has ended. False if there is none. */
export async function removeEndedFile(tx: Tx): Promise<boolean> {
  const [row] = await tx.query<{ id: string }>(endedSql);
  if (!row) return false;
  const count = await tx.execute(pruneSql, [row.id, 0, chunksAtOnce]);
  if (count < chunksAtOnce) await tx.execute(goneSql, [row.id]);
  return true;
}
