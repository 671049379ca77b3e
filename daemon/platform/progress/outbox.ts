import { sql, type Db } from '../db/db.ts';
import type { Oldest } from './watch.ts';

const oldestSql = sql(
  'outbox_oldest',
  `SELECT o.id, o.event_count, l.holder, l.expires_at
   FROM (SELECT id, event_count FROM outbox ORDER BY id LIMIT 1) AS o
   LEFT JOIN relay_leases AS l ON l.name = 'outbox' AND l.expires_at > clock_timestamp()`,
);

/** The oldest row of an outbox; `holder` is this daemon's name in the relay lease. */
export async function readOldestOfOutbox(db: Db, holder: string): Promise<Oldest | undefined> {
  type Row = { id: bigint; event_count: number; holder: string | null; expires_at: number | null };
  const [row] = await db.read((tx) => tx.query<Row>(oldestSql));
  if (!row) return undefined;
  const { id, event_count: count, expires_at: expiresAt } = row;
  const isOthers = row.holder !== null && row.holder !== holder && expiresAt !== null;
  const reason = isOthers
    ? `another daemon holds the relay lease until ${new Date(expiresAt).toISOString()}`
    : 'what was sent is not confirmed yet';
  // A row that was sent in part has fewer messages than before.
  return { key: String(id), level: -count, reason };
}
