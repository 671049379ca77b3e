import { sql, type Db, type Tx } from '../db/db.ts';
import { readOutboxDepth, type OutboxDepth } from '../outbox/depth.ts';

/** What the status of a service says of its database. */
export type DatabaseReading = {
  readonly appliedVersion: number;
  readonly letters: LetterReading | undefined;
  readonly outbox: OutboxDepth | undefined;
};

type LetterReading = {
  readonly pending: number;
  readonly hasMore: boolean;
  readonly oldestAtMs: number | undefined;
};

/** Which of the tables that not every service has are there. */
export type StatusTables = { readonly hasLetters: boolean; readonly hasOutbox: boolean };

const maxCounted = 1_000;

const schemaSql = sql(
  'status_schema',
  'SELECT coalesce(max(version), 0)::int AS version FROM schema_migrations',
);

const lettersSql = sql(
  'status_letters',
  `SELECT count(*)::int AS count, min(created_at) AS oldest
   FROM (SELECT created_at FROM dead_letters WHERE state = 'pending'
     ORDER BY created_at, id LIMIT ${maxCounted + 1}) AS waiting`,
);

/** Reads it all on one connection. The letters are counted up to a limit. */
export const readDatabase = (db: Db, tables: StatusTables): Promise<DatabaseReading> =>
  db.read(async (tx) => {
    const [schema, letters, outbox] = await Promise.all([
      tx.query<{ version: number }>(schemaSql),
      tables.hasLetters ? readLetters(tx) : undefined,
      tables.hasOutbox ? readOutboxDepth(tx) : undefined,
    ]);
    return { appliedVersion: schema[0]?.version ?? 0, letters, outbox };
  });

async function readLetters(tx: Tx): Promise<LetterReading> {
  const [row] = await tx.query<{ count: number; oldest: number | null }>(lettersSql);
  const count = row?.count ?? 0;
  return {
    pending: Math.min(count, maxCounted),
    hasMore: count > maxCounted,
    oldestAtMs: row?.oldest ?? undefined,
  };
}
