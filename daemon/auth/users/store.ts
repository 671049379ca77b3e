import type { Role } from '../../../core/roles.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { Revocation } from '../../platform/access/revocations.ts';
import type { User } from '../domain.ts';
import { toUser, userColumns, type UserRow } from '../store.ts';

/** Where a page ends: the time of the row in microseconds, as exactly as it is kept, and its id. */
export type Cursor = { readonly micros: string; readonly id: string };
export type Paged<T> = { readonly item: T; readonly cursor: Cursor };

/** What a row of a list is ordered by, for its cursor. */
export const microsOf = (column: string): string =>
  `(extract(epoch FROM ${column}) * 1000000)::bigint AS micros`;

/** True for rows that come after the cursor in $1 and $2 (null: for all), the newest first. */
export const isAfterCursor = (alias: string): string =>
  `($1::bigint IS NULL OR (${alias}.created_at, ${alias}.id) <
     (timestamptz 'epoch' + $1 * interval '1 microsecond', $2::uuid))`;

const listSql = sql(
  'user_list',
  `SELECT ${userColumns}, ${microsOf('u.created_at')} FROM users u
   WHERE ${isAfterCursor('u')} ORDER BY u.created_at DESC, u.id DESC LIMIT $3`,
);
const listByRoleSql = sql(
  'user_list_by_role',
  `SELECT ${userColumns}, ${microsOf('u.created_at')} FROM users u
   WHERE ${isAfterCursor('u')} AND u.role = $4 ORDER BY u.created_at DESC, u.id DESC LIMIT $3`,
);

/** At most `limit` users, the newest first. */
export async function listUsers(
  tx: Tx,
  role: Role | undefined,
  after: Cursor | undefined,
  limit: number,
): Promise<Paged<User>[]> {
  const page = [after?.micros ?? null, after?.id ?? null, limit];
  const rows = await (role === undefined
    ? tx.query<UserRow & { micros: bigint }>(listSql, page)
    : tx.query<UserRow & { micros: bigint }>(listByRoleSql, [...page, role]));
  return rows.map((row) => ({
    item: toUser(row),
    cursor: { micros: String(row.micros), id: row.id },
  }));
}

const byEmailSql = sql('user_by_email', `SELECT ${userColumns} FROM users u WHERE u.email = $1`);

/** By an address in its canonical form, verified or not. */
export async function findUserByEmail(tx: Tx, email: string): Promise<User | undefined> {
  const [row] = await tx.query<UserRow>(byEmailSql, [email]);
  return row && toUser(row);
}

const hashSql = sql('user_hash', 'SELECT password_hash FROM users WHERE id = $1');

export async function findPasswordHash(tx: Tx, userId: string): Promise<string | undefined> {
  return (await tx.query<{ password_hash: string }>(hashSql, [userId]))[0]?.password_hash;
}

const lockSql = sql('user_lock', `SELECT ${userColumns} FROM users u WHERE u.id = $1 FOR UPDATE`);

/** Locks a user against every sign-in, refresh and new key until the commit. */
export async function lockUser(tx: Tx, id: string): Promise<User | undefined> {
  const [row] = await tx.query<UserRow>(lockSql, [id]);
  return row && toUser(row);
}

const lockWithAdminsSql = sql(
  'user_lock_with_admins',
  `SELECT ${userColumns} FROM users u WHERE u.id = $1 OR (u.role = 'admin' AND NOT u.disabled)
   ORDER BY u.id FOR UPDATE`,
);

/**
 * Locks a user and every enabled admin, so that each admin who is counted stays an admin until the
 * commit.
 */
export async function lockUserAndAdmins(
  tx: Tx,
  id: string,
): Promise<{ readonly user: User | undefined; readonly admins: readonly User[] }> {
  const users = (await tx.query<UserRow>(lockWithAdminsSql, [id])).map(toUser);
  return {
    user: users.find((user) => user.id === id),
    admins: users.filter((user) => user.role === 'admin' && !user.isDisabled),
  };
}

const updateSql = sql(
  'user_update',
  `UPDATE users AS u SET role = $2, disabled = $3 WHERE u.id = $1 RETURNING ${userColumns}`,
);

export async function updateUser(
  tx: Tx,
  user: Pick<User, 'id' | 'role' | 'isDisabled'>,
): Promise<User> {
  const [row] = await tx.query<UserRow>(updateSql, [user.id, user.role, user.isDisabled]);
  if (!row) throw new Error('a locked user was not updated');
  return toUser(row);
}

const revokeUserSql = sql(
  'user_revoke_tokens',
  // As late as the clock says, too: after a restore of an older database it is still a later one.
  `WITH changed AS (
     UPDATE users SET token_generation = GREATEST(token_generation + 1,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
     WHERE id = $1 RETURNING id, token_generation)
   INSERT INTO revocations (kind, subject_id, revoked_at, generation)
   -- In the feed until the user's tokens have ended, also where a clock was ahead as they were
   -- signed.
   SELECT 'user', id, GREATEST(clock_timestamp(),
     (SELECT max(last_used_at) FROM sessions WHERE user_id = $1)), token_generation FROM changed
   ON CONFLICT (kind, subject_id, revoked_at) DO UPDATE SET generation = EXCLUDED.generation
   RETURNING revoked_at, generation`,
);

/**
 * Makes void every access token that the user has, by a new generation. The caller holds the user's
 * lock: a token that is signed after it knows of the change.
 */
export async function revokeUserTokens(tx: Tx, userId: string): Promise<Revocation> {
  type Row = { revoked_at: number; generation: bigint };
  const [row] = await tx.query<Row>(revokeUserSql, [userId]);
  if (!row) throw new Error('a revocation was not returned');
  const generation = Number(row.generation);
  return { kind: 'user', id: userId, revokedAtMs: row.revoked_at, generation };
}
