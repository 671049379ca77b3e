import { sql, type Db, type Tx } from '../db/db.ts';
import { readOutboxDepth, type OutboxDepth } from '../outbox/depth.ts';

/** What the status of a service says of its database. */
export type DatabaseReading = {
  readonly appliedVersion: number;
  readonly letters: LetterReading | undefined;
  readonly outbox: OutboxDepth | undefined;
  readonly checkpoint: CheckpointReading | undefined;
};

/** The last checkpoint of the ledger. */
type CheckpointReading = {
  readonly number: bigint;
  readonly takenAtMs: number;
  readonly size: bigint;
  readonly ageMs: number;
};

type LetterReading = {
  readonly pending: number;
  readonly hasMore: boolean;
  readonly oldestAtMs: number | undefined;
};

/** Which of the tables that not every service has are there. */
export type StatusTables = {
  readonly hasLetters: boolean;
  readonly hasOutbox: boolean;
  readonly hasCheckpoints: boolean;
};

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

const checkpointSql = sql(
  'status_checkpoint',
  `SELECT number, taken_at, size,
     (extract(epoch FROM clock_timestamp() - taken_at) * 1000)::float8 AS age_ms
   FROM checkpoints ORDER BY number DESC LIMIT 1`,
);

/** Reads it all on one connection. The letters are counted up to a limit. */
export const readDatabase = (db: Db, tables: StatusTables): Promise<DatabaseReading> =>
  db.read(async (tx) => {
    const [schema, letters, outbox, checkpoint] = await Promise.all([
      tx.query<{ version: number }>(schemaSql),
      tables.hasLetters ? readLetters(tx) : undefined,
      tables.hasOutbox ? readOutboxDepth(tx) : undefined,
      tables.hasCheckpoints ? readCheckpoint(tx) : undefined,
    ]);
    return { appliedVersion: schema[0]?.version ?? 0, letters, outbox, checkpoint };
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

async function readCheckpoint(tx: Tx): Promise<CheckpointReading | undefined> {
  type Row = { number: bigint; taken_at: number; size: bigint; age_ms: number };
  const [row] = await tx.query<Row>(checkpointSql);
  if (!row) return undefined;
  const { number, taken_at: takenAtMs, size, age_ms: ageMs } = row;
  return { number, takenAtMs, size, ageMs };
}
