import { sql, type Tx } from '../../platform/db/db.ts';
import type { Oldest } from '../../platform/progress/watch.ts';
import type { ExportRow } from './export-store.ts';

const oldestSql = sql(
  'export_oldest',
  `SELECT id, rows_done, failure FROM exports
   WHERE status IN ('queued', 'running') ORDER BY created_at, id LIMIT 1`,
);

/** The export that has waited longest, to see whether anything is done about it. */
export async function findOldestExport(tx: Tx): Promise<Oldest | undefined> {
  const [row] = await tx.query<Pick<ExportRow, 'id' | 'rows_done' | 'failure'>>(oldestSql);
  return row && { key: row.id, level: Number(row.rows_done), reason: row.failure ?? undefined };
}

const oldestMailSql = sql(
  'export_mail_oldest',
  `SELECT id, mail_failure FROM exports
   WHERE mail_state = 'waiting' AND status = 'done' ORDER BY finished_at, id LIMIT 1`,
);

/** The finished export whose mail has waited longest. */
export async function findOldestMail(tx: Tx): Promise<Oldest | undefined> {
  const [row] = await tx.query<{ id: string; mail_failure: string | null }>(oldestMailSql);
  return row && { key: row.id, reason: row.mail_failure ?? undefined };
}
