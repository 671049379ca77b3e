import { randomUUID } from 'node:crypto';

import { sql, type Tx } from '../../platform/db.ts';

export type QueuedMail = {
  readonly id: string;
  readonly kind: string;
  readonly recipient: string;
  /** What the text needs besides; never a code or another secret. */
  readonly details: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly ageMs: number;
  /** The number of this try, which is its fencing token. */
  readonly attempt: number;
};

const appendSql = sql(
  'mail_append',
  'INSERT INTO mails (id, kind, recipient, details) VALUES ($1, $2, $3, $4)',
);

/** Queues a mail in the caller's transaction: it is sent if and only if that commits. */
export async function appendMail(
  tx: Tx,
  mail: Pick<QueuedMail, 'kind' | 'recipient'> & Partial<Pick<QueuedMail, 'details'>>,
): Promise<void> {
  const { kind, recipient, details = {} } = mail;
  await tx.execute(appendSql, [randomUUID(), kind, recipient, JSON.stringify(details)]);
}

const oldestSql = sql('mail_oldest', 'SELECT id FROM mails ORDER BY created_at, id LIMIT 1');

/** The mail that has waited longest, to see whether any is sent. */
export async function findOldestMail(tx: Tx): Promise<{ readonly key: string } | undefined> {
  const [row] = await tx.query<{ id: string }>(oldestSql);
  return row && { key: row.id };
}

const inMs = (parameter: string): string =>
  `clock_timestamp() + ${parameter}::integer * interval '1 millisecond'`;

const claimSql = sql(
  'mail_claim',
  `UPDATE mails AS m SET attempt = m.attempt + 1, due_at = ${inMs('$1')}
   WHERE m.id = (
     SELECT id FROM mails WHERE due_at <= (SELECT clock_timestamp())
     ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
   RETURNING m.id, m.kind, m.recipient, m.details, m.created_at, m.attempt,
     (extract(epoch FROM clock_timestamp() - m.created_at) * 1000)::float8 AS age_ms`,
);

/** Takes the mail that has been due for the longest time, for the length of a lease. */
export async function claimMail(tx: Tx, leaseMs: number): Promise<QueuedMail | undefined> {
  type Row = {
    id: string;
    kind: string;
    recipient: string;
    details: Record<string, string>;
    created_at: number;
    attempt: number;
    age_ms: number;
  };
  const [row] = await tx.query<Row>(claimSql, [leaseMs]);
  if (!row) return undefined;
  const { id, kind, recipient, details, attempt } = row;
  return { id, kind, recipient, details, attempt, createdAtMs: row.created_at, ageMs: row.age_ms };
}

const delaySql = sql(
  'mail_delay',
  `UPDATE mails SET due_at = ${inMs('$3')} WHERE id = $1 AND attempt = $2`,
);

/** Makes a mail due after `delayMs`: the next try, or the renewal of the lease of this one. */
export async function delayMail(
  tx: Tx,
  { id, attempt }: Pick<QueuedMail, 'id' | 'attempt'>,
  delayMs: number,
): Promise<void> {
  await tx.execute(delaySql, [id, attempt, delayMs]);
}

const removeSql = sql('mail_remove', 'DELETE FROM mails WHERE id = $1 AND attempt = $2');

/** Forgets a mail that was sent or given up. */
export async function removeMail(
  tx: Tx,
  { id, attempt }: Pick<QueuedMail, 'id' | 'attempt'>,
): Promise<void> {
  await tx.execute(removeSql, [id, attempt]);
}

const withdrawSql = sql('mail_withdraw', 'DELETE FROM mails WHERE id = ANY($1::uuid[])');

/** Takes back mails that may still be tried again. */
export async function withdrawMails(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.execute(withdrawSql, [ids]);
}

const pruneSql = sql(
  'mail_prune',
  `DELETE FROM mails WHERE id IN (
     SELECT id FROM mails WHERE due_at < (SELECT clock_timestamp() - interval '1 day')
     ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets what no daemon has sent for a day: at most `limit` rows, and how many those were. */
export async function pruneMails(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneSql, [limit]);
}

const correctSql = sql(
  'mail_correct_times',
  `UPDATE mails SET due_at = clock_timestamp()
   WHERE due_at > (SELECT ${inMs('$1')})`,
);

/** Makes due at once what is due later than any delay can make it: the clock was set back. */
export async function correctMailTimes(tx: Tx, maxDelayMs: number): Promise<number> {
  return tx.execute(correctSql, [maxDelayMs]);
}
