import type { Role } from '../../core/roles.ts';
import { constraintOf, sql, type Tx } from '../platform/db/db.ts';
import type { PresentedToken, User } from './domain.ts';

export type UserRow = {
  id: string;
  email: string;
  role: Role;
  disabled: boolean;
  email_verified: boolean;
  created_at: number;
  totp_enabled: boolean;
  token_generation: bigint;
};

export const userColumns =
  'u.id, u.email, u.role, u.disabled, u.email_verified, u.created_at, u.totp_enabled, ' +
  'u.token_generation';

const insertUserSql = sql(
  'user_insert',
  `INSERT INTO users AS u (id, email, password_hash, role, email_verified)
   VALUES ($1, $2, $3, $4, $5) RETURNING ${userColumns}`,
);

/** Undefined if the address is taken: the unique key decides, not a look beforehand. */
export async function insertUser(
  tx: Tx,
  user: {
    readonly id: string;
    readonly email: string;
    readonly passwordHash: string;
    readonly role: Role;
    readonly isEmailVerified: boolean;
  },
): Promise<User | undefined> {
  const values = [user.id, user.email, user.passwordHash, user.role, user.isEmailVerified];
  const [row] = await tx.query<UserRow>(insertUserSql, values);
  return row && toUser(row);
}

/** True if an insert failed because the address is taken. */
export function isEmailTaken(err: unknown): boolean {
  return constraintOf(err) === 'users_email';
}

const credentialsSql = sql(
  'user_credentials',
  `SELECT ${userColumns}, u.password_hash, (
     SELECT s.password_hash FROM sign_ups s
     WHERE s.email = asked.email AND s.expires_at > clock_timestamp()
       AND s.expires_at <= clock_timestamp() + interval '1 day'
     ORDER BY s.created_at DESC, s.id DESC LIMIT 1) AS pending_hash
   FROM (SELECT $1::text AS email) asked
   LEFT JOIN users u ON u.email = asked.email`,
);

export type Credentials = {
  /** Undefined if the address has no account. */
  readonly account: { readonly user: User; readonly passwordHash: string } | undefined;
  /** Of the newest sign-up that waits for a code, also where there is an account. */
  readonly pendingHash: string | undefined;
};

/** One statement for all addresses, so that it takes the same whatever there is. */
export async function findCredentials(tx: Tx, email: string): Promise<Credentials> {
  type Row = (UserRow | { id: null }) & {
    password_hash: string | null;
    pending_hash: string | null;
  };
  const [row] = await tx.query<Row>(credentialsSql, [email]);
  const account =
    row && row.id !== null && row.password_hash !== null
      ? { user: toUser(row), passwordHash: row.password_hash }
      : undefined;
  return { account, pendingHash: row?.pending_hash ?? undefined };
}

const lockHashSql = sql(
  'user_lock_hash',
  'SELECT password_hash FROM users WHERE id = $1 AND NOT disabled FOR UPDATE',
);

/** Locks a user who may sign in: their password, and whether they may, stay as they are. */
export async function lockPasswordHash(tx: Tx, id: string): Promise<string | undefined> {
  return (await tx.query<{ password_hash: string }>(lockHashSql, [id]))[0]?.password_hash;
}

const lockCredentialsSql = sql(
  'user_lock_share',
  `SELECT ${userColumns}, u.password_hash FROM users u WHERE u.id = $1 FOR SHARE`,
);

/**
 * Holds a user as they are until the commit: a token signed with this is void by any later change.
 */
export async function lockCredentials(tx: Tx, id: string): Promise<LockedUser | undefined> {
  const [row] = await tx.query<UserRow & { password_hash: string }>(lockCredentialsSql, [id]);
  return row && { user: toUser(row), passwordHash: row.password_hash };
}

type LockedUser = { readonly user: User; readonly passwordHash: string };

const lockForSessionSql = sql(
  'user_lock_session',
  `SELECT ${userColumns}, u.password_hash FROM users u WHERE u.id = $1 FOR NO KEY UPDATE`,
);

/** The same for one who opens a session: one at a time, so that their number is known. */
export async function lockForSession(tx: Tx, id: string): Promise<LockedUser | undefined> {
  const [row] = await tx.query<UserRow & { password_hash: string }>(lockForSessionSql, [id]);
  return row && { user: toUser(row), passwordHash: row.password_hash };
}

const setHashSql = sql(
  'user_set_hash',
  'UPDATE users SET password_hash = $2 WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3)',
);

/** `instead`: only while this is the hash, so that a password set meanwhile stays. */
export async function setPasswordHash(
  tx: Tx,
  id: string,
  passwordHash: string,
  instead?: string,
): Promise<void> {
  await tx.execute(setHashSql, [id, passwordHash, instead]);
}

const resolveSql = sql(
  'user_resolve',
  `SELECT ${userColumns} FROM users u
   WHERE u.id = ANY($1::uuid[]) OR (u.email = ANY($2::text[]) AND u.email_verified)`,
);

/** By id, or by an address that was verified or vouched for; in no order. */
export async function findUsers(
  tx: Tx,
  ids: readonly string[],
  emails: readonly string[],
): Promise<User[]> {
  return (await tx.query<UserRow>(resolveSql, [ids, emails])).map(toUser);
}

const countAdminsSql = sql(
  'user_count_admins',
  `SELECT count(*) AS count FROM users WHERE role = 'admin' AND NOT disabled`,
);

export async function countAdmins(tx: Tx): Promise<bigint> {
  const [row] = await tx.query<{ count: bigint }>(countAdminsSql);
  return row?.count ?? 0n;
}

const insertSessionSql = sql(
  'session_insert',
  `INSERT INTO sessions (id, user_id, client, expires_at, browser_token_hash)
   VALUES ($1, $2, $3, $4, $5)`,
);

export async function insertSession(
  tx: Tx,
  session: {
    readonly id: string;
    readonly userId: string;
    readonly client: string;
    readonly expiresAtMs: number;
    /** Undefined for a session with refresh tokens. */
    readonly browserTokenHash: Buffer | undefined;
  },
): Promise<void> {
  const { id, userId, client, browserTokenHash } = session;
  const expiresAt = new Date(session.expiresAtMs).toISOString();
  await tx.execute(insertSessionSql, [id, userId, client, expiresAt, browserTokenHash]);
}

const insertTokenSql = sql(
  'refresh_insert',
  'INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($1, $2)',
);

export async function insertRefreshToken(tx: Tx, hash: Buffer, sessionId: string): Promise<void> {
  await tx.execute(insertTokenSql, [hash, sessionId]);
}

const tokenOwnerSql = sql(
  'refresh_owner',
  `SELECT s.id AS session_id, s.user_id
   FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = $1`,
);

const lockSessionSql = sql(
  'session_lock',
  'SELECT expires_at, revoked_at FROM sessions WHERE id = $1 FOR UPDATE',
);

const tokenUseSql = sql(
  'refresh_use_of',
  'SELECT token_hash, used_at FROM refresh_tokens WHERE token_hash = ANY($1::bytea[])',
);

/**
 * Locks the owner and the session of a presented token, and only then reads what became of it:
 * two refreshes at once take turns, and no change of the owner can come between what is read here
 * and the commit. Users are locked before sessions, everywhere.
 *
 * @param successorHashes one for each key that a successor may have been derived with
 */
export async function lockRefreshToken(
  tx: Tx,
  hash: Buffer,
  successorHashes: readonly Buffer[],
): Promise<
  | {
      readonly user: User;
      readonly presented: PresentedToken;
      /** Which of the successors it was traded for; -1 if none. */
      readonly successorIndex: number;
    }
  | undefined
> {
  type SessionRow = { expires_at: number; revoked_at: number | null };
  type TokenRow = { token_hash: Buffer; used_at: number | null };
  const [owner] = await tx.query<{ session_id: string; user_id: string }>(tokenOwnerSql, [hash]);
  const held = owner && (await lockCredentials(tx, owner.user_id));
  if (!held) return undefined;
  const [session] = await tx.query<SessionRow>(lockSessionSql, [owner.session_id]);
  const tokens = await tx.query<TokenRow>(tokenUseSql, [[hash, ...successorHashes]]);
  const find = (wanted: Buffer) => tokens.find((row) => row.token_hash.equals(wanted));
  const token = find(hash);
  if (!session || !token) return undefined;
  const successorIndex = successorHashes.findIndex(find);
  const successor = tokens.find((row) => successorHashes[successorIndex]?.equals(row.token_hash));
  return {
    user: held.user,
    successorIndex,
    presented: {
      session: {
        id: owner.session_id,
        userId: owner.user_id,
        expiresAtMs: session.expires_at,
        revokedAtMs: session.revoked_at ?? undefined,
      },
      isUserDisabled: held.user.isDisabled,
      usedAtMs: token.used_at ?? undefined,
      isSuccessorUsed: successor !== undefined && successor.used_at !== null,
    },
  };
}

const useTokenSql = sql(
  'refresh_use',
  'UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE token_hash = $1',
);
const touchSessionSql = sql(
  'session_touch',
  'UPDATE sessions SET last_used_at = clock_timestamp() WHERE id = $1',
);

/** Trades a token for its successor. */
export async function rotateRefreshToken(
  tx: Tx,
  hash: Buffer,
  successorHash: Buffer,
  sessionId: string,
): Promise<void> {
  await tx.execute(useTokenSql, [hash]);
  await insertRefreshToken(tx, successorHash, sessionId);
  await tx.execute(touchSessionSql, [sessionId]);
}

/** A row as the rest of the program knows it. */
export function toUser(row: UserRow): User {
  return {
    id: row.id,
    email: row.email,
    role: row.role,
    isDisabled: row.disabled,
    isEmailVerified: row.email_verified,
    createdAtMs: row.created_at,
    hasTotp: row.totp_enabled,
    tokenGeneration: Number(row.token_generation),
  };
}
