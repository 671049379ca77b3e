import { sql, type Tx } from '../../platform/db.ts';

export type EmailChange = { readonly id: string; readonly newEmail: string };

const keepSql = sql(
  'email_change_keep',
  `INSERT INTO email_changes (user_id, id, new_email, expires_at)
   VALUES ($1, $2, $3, clock_timestamp() + $4::integer * interval '1 millisecond')
   ON CONFLICT (user_id) DO UPDATE SET id = EXCLUDED.id, new_email = EXCLUDED.new_email,
     expires_at = EXCLUDED.expires_at`,
);

/** Keeps the address that a user wants, in place of an earlier wish. */
export async function keepEmailChange(
  tx: Tx,
  userId: string,
  { id, newEmail }: EmailChange,
): Promise<void> {
  // The mail may be sent late, and its code then lives for as long again.
  await tx.execute(keepSql, [userId, id, newEmail, 24 * 60 * 60_000]);
}

const ofUserSql = sql(
  'email_change_of_user',
  'SELECT id, new_email FROM email_changes WHERE user_id = $1',
);

/** The change that waits for a user; whether its code still works is up to the code. */
export async function findEmailChange(tx: Tx, userId: string): Promise<EmailChange | undefined> {
  const [row] = await tx.query<{ id: string; new_email: string }>(ofUserSql, [userId]);
  return row && { id: row.id, newEmail: row.new_email };
}

const dropSql = sql(
  'email_change_drop',
  'DELETE FROM email_changes WHERE user_id = $1 RETURNING id',
);

/** Takes back what waits, and gives its id. */
export async function dropEmailChange(tx: Tx, userId: string): Promise<string | undefined> {
  return (await tx.query<{ id: string }>(dropSql, [userId]))[0]?.id;
}

const setEmailSql = sql(
  'user_set_email',
  'UPDATE users SET email = $2, email_verified = true WHERE id = $1',
);

/** Sets a verified address. Fails with the unique constraint if another account has it. */
export async function setEmail(tx: Tx, userId: string, email: string): Promise<void> {
  await tx.execute(setEmailSql, [userId, email]);
}

const pruneSql = sql(
  'email_change_prune',
  `DELETE FROM email_changes WHERE user_id IN (
     SELECT user_id FROM email_changes WHERE expires_at < (SELECT clock_timestamp())
     LIMIT $1 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets changes that were not confirmed: at most `limit` rows, and how many those were. */
export async function pruneEmailChanges(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneSql, [limit]);
}

const waitingSql = sql(
  'email_change_waiting',
  `SELECT c.user_id FROM email_changes c JOIN users u ON u.id = c.user_id
   WHERE c.id = $1 AND c.new_email = $2 AND NOT u.disabled`,
);

/** The user whose change of address still waits; undefined if it was taken back or replaced. */
export async function findWaitingUser(
  tx: Tx,
  id: string,
  newEmail: string,
): Promise<string | undefined> {
  return (await tx.query<{ user_id: string }>(waitingSql, [id, newEmail]))[0]?.user_id;
}
