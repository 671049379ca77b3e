import { sql, type Tx } from '../../platform/db/db.ts';
import type { Sealed } from './seal.ts';

type Row = {
  key_id: Buffer;
  secret: Buffer;
  session_id: string | null;
  begun_at: number;
  enabled_at: number | null;
  last_step: bigint | null;
  failed: number[];
};

/** A user's secret and what is known of its use; not yet enabled while `sessionId` is there. */
export type TotpSecret = {
  readonly sealed: Sealed;
  readonly sessionId: string | undefined;
  readonly begunAtMs: number;
  readonly enabledAtMs: number | undefined;
  readonly lastStep: number | undefined;
  readonly failedAtMs: readonly number[];
};

const columns = `key_id, secret, session_id, begun_at, enabled_at, last_step,
  array_to_json(failed_at_ms) AS failed`;

const findSql = sql('totp_find', `SELECT ${columns} FROM totp_secrets WHERE user_id = $1`);
const lockSql = sql(
  'totp_lock',
  `SELECT ${columns} FROM totp_secrets WHERE user_id = $1 FOR UPDATE`,
);

export async function findSecret(tx: Tx, userId: string): Promise<TotpSecret | undefined> {
  const [row] = await tx.query<Row>(findSql, [userId]);
  return row && toSecret(row);
}

/**
 * Locks a user's secret, so that codes at once are checked one after the other. Users come first.
 */
export async function lockSecret(tx: Tx, userId: string): Promise<TotpSecret | undefined> {
  const [row] = await tx.query<Row>(lockSql, [userId]);
  return row && toSecret(row);
}

const keepSql = sql(
  'totp_keep',
  `INSERT INTO totp_secrets AS t (user_id, key_id, secret, session_id, begun_at)
   VALUES ($1, $2, $3, $4, $5)
   ON CONFLICT (user_id) DO UPDATE SET key_id = EXCLUDED.key_id, secret = EXCLUDED.secret,
     session_id = EXCLUDED.session_id, begun_at = EXCLUDED.begun_at
   WHERE t.enabled_at IS NULL`,
);

/** Keeps a secret that is not yet confirmed, in the place of an earlier one that was not. */
export async function keepSecret(
  tx: Tx,
  userId: string,
  secret: {
    readonly sealed: Sealed;
    readonly sessionId: string;
    readonly begunAtMs: number;
  },
): Promise<void> {
  const { sealed, sessionId, begunAtMs } = secret;
  const begunAt = new Date(begunAtMs).toISOString();
  await tx.execute(keepSql, [userId, sealed.keyId, sealed.bytes, sessionId, begunAt]);
}

const enableSql = sql(
  'totp_enable',
  `WITH enabled AS (
     UPDATE totp_secrets SET enabled_at = clock_timestamp(), session_id = NULL, last_step = $2
     WHERE user_id = $1)
   UPDATE users SET totp_enabled = true WHERE id = $1`,
);

/** Makes a kept secret the user's second factor. The caller holds the user's lock. */
export async function enableTotp(tx: Tx, userId: string, step: number): Promise<void> {
  await tx.execute(enableSql, [userId, step]);
}

const removeSql = sql(
  'totp_remove',
  `WITH codes AS (DELETE FROM recovery_codes WHERE user_id = $1),
   secret AS (DELETE FROM totp_secrets WHERE user_id = $1)
   UPDATE users SET totp_enabled = false WHERE id = $1`,
);

/** Removes a user's second factor, whole. The caller holds the user's lock. */
export async function removeTotp(tx: Tx, userId: string): Promise<void> {
  await tx.execute(removeSql, [userId]);
}

const noteStepSql = sql(
  'totp_note_step',
  'UPDATE totp_secrets SET last_step = $2, key_id = $3, secret = $4 WHERE user_id = $1',
);

/** Notes the last used step, and keeps the secret as it is sealed now. */
export async function noteStep(tx: Tx, userId: string, step: number, sealed: Sealed) {
  await tx.execute(noteStepSql, [userId, step, sealed.keyId, sealed.bytes]);
}

const noteFailuresSql = sql(
  'totp_note_failures',
  'UPDATE totp_secrets SET failed_at_ms = $2::bigint[] WHERE user_id = $1',
);

export async function noteFailures(tx: Tx, userId: string, failedAtMs: readonly number[]) {
  await tx.execute(noteFailuresSql, [userId, failedAtMs]);
}

const dropCodesSql = sql('recovery_drop', 'DELETE FROM recovery_codes WHERE user_id = $1');
const insertCodesSql = sql(
  'recovery_insert',
  'INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])',
);

/** Replaces all recovery codes of a user, whose lock the caller holds. */
export async function replaceRecoveryCodes(tx: Tx, userId: string, hashes: readonly Buffer[]) {
  await tx.execute(dropCodesSql, [userId]);
  await tx.execute(insertCodesSql, [userId, hashes]);
}

const takeCodeSql = sql(
  'recovery_take',
  'DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2',
);

/** Uses a recovery code up; false if there is none like it. */
export async function takeRecoveryCode(tx: Tx, userId: string, hash: Buffer): Promise<boolean> {
  return (await tx.execute(takeCodeSql, [userId, hash])) > 0;
}

const countCodesSql = sql(
  'recovery_count',
  'SELECT count(*) AS count FROM recovery_codes WHERE user_id = $1',
);

export async function countRecoveryCodes(tx: Tx, userId: string): Promise<number> {
  const [row] = await tx.query<{ count: bigint }>(countCodesSql, [userId]);
  return Number(row?.count ?? 0n);
}

const lockSealedSql = sql(
  'totp_lock_sealed',
  `SELECT user_id, key_id, secret FROM totp_secrets
   WHERE user_id > $1 AND key_id <> $2 ORDER BY user_id LIMIT 100 FOR UPDATE`,
);
const resealSql = sql(
  'totp_reseal',
  'UPDATE totp_secrets SET key_id = $2, secret = $3 WHERE user_id = $1',
);

/** Locks up to 100 secrets that another key sealed, of users after this one. */
export async function lockSealedByOthers(
  tx: Tx,
  afterUserId: string,
  keyId: Buffer,
): Promise<{ readonly userId: string; readonly sealed: Sealed }[]> {
  type SealedRow = { user_id: string; key_id: Buffer; secret: Buffer };
  const rows = await tx.query<SealedRow>(lockSealedSql, [afterUserId, keyId]);
  return rows.map(({ user_id, key_id, secret }) => ({
    userId: user_id,
    sealed: { keyId: key_id, bytes: secret },
  }));
}

export async function reseal(tx: Tx, userId: string, sealed: Sealed): Promise<void> {
  await tx.execute(resealSql, [userId, sealed.keyId, sealed.bytes]);
}

function toSecret(row: Row): TotpSecret {
  return {
    sealed: { keyId: row.key_id, bytes: row.secret },
    sessionId: row.session_id ?? undefined,
    begunAtMs: row.begun_at,
    enabledAtMs: row.enabled_at ?? undefined,
    lastStep: row.last_step === null ? undefined : Number(row.last_step),
    failedAtMs: row.failed,
  };
}
