import { sql, type Tx } from '../../platform/db/db.ts';
import { isUuid } from '../../../core/ids.ts';
import { readOnlyField } from '../../platform/db/copy.ts';
import { clockStepMs } from '../../../core/time/stored-times.ts';
import { maxMailDelayMs, type Export } from './export-domain.ts';
import { toExport, type ExportRow } from './export-store.ts';

/** An attempt at an export: what it writes counts only while the row still has its number. */
export type Attempt = { readonly id: string; readonly attempt: number };

const inMs = (parameter: string): string =>
  `clock_timestamp() + ${parameter} * interval '1 millisecond'`;
/** Fences every write of a worker: the statement changes nothing once another attempt has begun. */
const isHeld = `id = $1 AND attempt = $2 AND status = 'running'`;

const claimSql = sql(
  'export_claim',
  `WITH claimed AS (
     UPDATE exports
     SET status = 'running', attempt = attempt + 1, rows_done = 0, due_at = ${inMs('$1')}
     WHERE id = (
       SELECT e.id FROM exports e LEFT JOIN export_requesters r ON r.user_id = e.requested_by
       WHERE e.status IN ('queued', 'running') AND e.due_at <= clock_timestamp()
       ORDER BY coalesce(r.turn, 0), e.due_at LIMIT 1 FOR UPDATE OF e SKIP LOCKED)
     RETURNING *),
   -- A number and no time: clocks step.
   turned AS (
     UPDATE export_requesters SET turn = (SELECT max(turn) FROM export_requesters) + 1
     WHERE user_id = (SELECT requested_by FROM claimed))
   SELECT * FROM claimed`,
);

/**
 * Takes an export that is due, or whose worker has been silent for its lease: of the requester
 * whose turn was longest ago, and of theirs the one that has waited longest.
 */
export async function claimExport(tx: Tx, leaseMs: number): Promise<Export | undefined> {
  const [row] = await tx.query<ExportRow>(claimSql, [leaseMs]);
  return row && toExport(row);
}

const renewSql = sql(
  'export_renew',
  `UPDATE exports SET due_at = ${inMs('$3')}, rows_done = coalesce($4, rows_done) WHERE ${isHeld}`,
);

/** False if the attempt is no longer the one that counts. `rowsDone`: the progress to show. */
export async function renewExport(
  tx: Tx,
  { id, attempt }: Attempt,
  leaseMs: number,
  rowsDone?: bigint,
): Promise<boolean> {
  return (await tx.execute(renewSql, [id, attempt, leaseMs, rowsDone])) > 0;
}

const pinSql = sql(
  'export_pin',
  `UPDATE exports SET through_seq = coalesce(through_seq, $3), row_count = $4, failure = NULL,
     range_to = LEAST(range_to, $5::timestamptz),
     is_end_given = is_end_given AND range_to <= $5::timestamptz
   WHERE ${isHeld}`,
);

/** The last transaction of a statement, and its range as far as that was over. */
export type End = { readonly throughSeq: bigint; readonly range: Export['range'] };

/** Keeps up to which transaction and time the statement goes, and how many rows that is. */
export async function pinExport(
  tx: Tx,
  { id, attempt }: Attempt,
  { throughSeq, range }: End,
  rowCount: bigint,
): Promise<boolean> {
  return (
    (await tx.execute(pinSql, [
      id,
      attempt,
      throughSeq,
      rowCount,
      new Date(range.toMs).toISOString(),
    ])) > 0
  );
}

const chunkInsertSql = sql(
  'export_chunk_insert',
  `INSERT INTO export_chunks (export_id, attempt, n, byte_offset, data) VALUES ($1, $2, $3, $4, $5)`,
);

export type Chunk = { readonly n: number; readonly startAt: bigint; readonly data: Buffer };

/**
 * Adds chunks of the file. Call `renewExport` before, in the same `tx`: it checks the fencing
 * token.
 */
export async function appendChunks(
  tx: Tx,
  { id, attempt }: Attempt,
  chunks: readonly Chunk[],
): Promise<void> {
  for (const { n, startAt, data } of chunks) {
    await tx.execute(chunkInsertSql, [id, attempt, n, startAt, data]);
  }
}

const finishSql = sql(
  'export_finish',
  `UPDATE exports
   SET status = 'done', row_count = $3, rows_done = $3, byte_count = $4, sha256 = $5,
     failure = NULL,
     finished_at = clock_timestamp(), expires_at = clock_timestamp() + $6 * interval '1 day',
     mail_due_at = clock_timestamp()
   WHERE ${isHeld}`,
);

/** Makes this attempt's file the export's. False if the attempt no longer counts. */
export async function finishExport(
  tx: Tx,
  { id, attempt }: Attempt,
  file: { readonly rows: bigint; readonly bytes: bigint; readonly sha256: Buffer },
  retentionDays: number,
): Promise<boolean> {
  const values = [id, attempt, file.rows, file.bytes, file.sha256, retentionDays];
  return (await tx.execute(finishSql, values)) > 0;
}

const releaseSql = sql(
  'export_release',
  `UPDATE exports SET status = 'queued', failure = $3, due_at = ${inMs('$4')} WHERE ${isHeld}`,
);

/** Gives the export back, to be tried again after a while. */
export async function releaseExport(
  tx: Tx,
  { id, attempt }: Attempt,
  failure: string | undefined,
  delayMs: number,
): Promise<void> {
  await tx.execute(releaseSql, [id, attempt, failure, delayMs]);
}

const failSql = sql(
  'export_fail',
  `UPDATE exports
   SET status = $4, failure = $3, finished_at = clock_timestamp(),
     mail_state = CASE WHEN mail_state = 'waiting' THEN 'failed' ELSE mail_state END,
     mail_failure = CASE WHEN mail_state = 'waiting' THEN 'there is no file' ELSE mail_failure END
   WHERE ${isHeld}`,
);

/** Ends the export without a file. False if the attempt no longer counts. */
export async function failExport(
  tx: Tx,
  { id, attempt }: Attempt,
  failure: string,
  status: 'failed' | 'inconsistent',
): Promise<boolean> {
  return (await tx.execute(failSql, [id, attempt, failure, status])) > 0;
}

const correctDueSql = sql(
  'export_correct_due',
  `UPDATE exports SET due_at = clock_timestamp()
   WHERE status IN ('queued', 'running') AND due_at > (SELECT ${inMs('$1::integer')})`,
);
const correctMailSql = sql(
  'export_correct_mail',
  `UPDATE exports SET mail_due_at = clock_timestamp()
   WHERE mail_state = 'waiting' AND mail_due_at > (SELECT ${inMs('$1::integer')})`,
);
const correctExpirySql = sql(
  'export_correct_expiry',
  `UPDATE exports
   SET expires_at = clock_timestamp() + (expires_at - finished_at), finished_at = clock_timestamp()
   WHERE status = 'done' AND finished_at > (SELECT ${inMs('$1::integer')})
     AND expires_at > clock_timestamp()`,
);

/**
 * Makes due at once what is due later than any lease or delay can make it, and lets files that were
 * finished in the future live as long as promised from now on: the clock was set back. How many.
 */
export async function correctExportTimes(tx: Tx, maxDelayMs: number): Promise<number> {
  const due = await tx.execute(correctDueSql, [maxDelayMs]);
  const mails = await tx.execute(correctMailSql, [maxMailDelayMs + clockStepMs]);
  return due + mails + (await tx.execute(correctExpirySql, [clockStepMs]));
}

const chunkAtSql = sql(
  'export_chunk_at',
  `SELECT n, byte_offset FROM export_chunks
   WHERE export_id = $1 AND attempt = $2 AND byte_offset <= $3 ORDER BY n DESC LIMIT 1`,
);

/**
 * Which chunk of a file has the byte at `offset` (or is the last before it), and where it starts.
 */
export async function findChunk(
  tx: Tx,
  { id, attempt }: Attempt,
  offset: bigint,
): Promise<{ readonly n: number; readonly startAt: bigint } | undefined> {
  type Row = { n: number; byte_offset: bigint };
  const [row] = await tx.query<Row>(chunkAtSql, [id, attempt, offset]);
  return row && { n: row.n, startAt: row.byte_offset };
}

/** One chunk of a file; undefined past the last. */
export async function readChunk(
  tx: Tx,
  { id, attempt }: Attempt,
  n: number,
): Promise<Buffer | undefined> {
  if (!isUuid(id)) throw new Error('not the id of an export');
  const where = `export_id = '${id}' AND attempt = ${attempt} AND n = ${n}`;
  let data: Buffer | undefined;
  // In a result it would come as hexadecimal digits, twice as long, in a text.
  const copy = `COPY (SELECT data FROM export_chunks WHERE ${where}) TO STDOUT (FORMAT binary)`;
  await tx.copyOut(copy, (bytes, start, end) => {
    data ??= readOnlyField(bytes.subarray(start, end));
  });
  return data;
}

const claimMailSql = sql(
  'export_mail_claim',
  `UPDATE exports SET mail_attempt = mail_attempt + 1, mail_due_at = ${inMs('$1')}
   WHERE id = (
     SELECT id FROM exports
     WHERE mail_state = 'waiting' AND status = 'done' AND mail_due_at <= clock_timestamp()
     ORDER BY mail_due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
   RETURNING *`,
);

export type Mailing = { readonly made: Export; readonly mailAttempt: number };

/** Takes a finished export whose mail is to be sent. */
export async function claimMail(tx: Tx, leaseMs: number): Promise<Mailing | undefined> {
  const [row] = await tx.query<ExportRow>(claimMailSql, [leaseMs]);
  return row && { made: toExport(row), mailAttempt: row.mail_attempt };
}

const resolveMailSql = sql(
  'export_mail_settle',
  `UPDATE exports SET mail_state = $3, mail_failure = $4, mail_due_at = ${inMs('$5')}
   WHERE id = $1 AND mail_attempt = $2 AND mail_state = 'waiting'`,
);

/**
 * What became of a mail; `waiting` tries it again after `delayMs`, and renews the lease meanwhile.
 */
export async function completeMail(
  tx: Tx,
  { made, mailAttempt }: Mailing,
  {
    state,
    failure,
    delayMs,
  }: {
    readonly state: 'waiting' | 'sent' | 'failed';
    readonly failure: string | undefined;
    readonly delayMs: number;
  },
): Promise<void> {
  await tx.execute(resolveMailSql, [made.id, mailAttempt, state, failure, delayMs]);
}
