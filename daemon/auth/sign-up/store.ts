import { sql, type Tx } from '../../platform/db/db.ts';
import type { WaitingSignUp } from './pending-sign-ups.ts';

export type PendingSignUp = {
  readonly id: string;
  readonly passwordHash: string;
  readonly tokenHash: Buffer;
};

// An end that is further away than its life is long was written by a clock that was ahead.
const isWaiting = `email = $1 AND expires_at > clock_timestamp()
     AND expires_at <= clock_timestamp() + $2::integer * interval '1 millisecond'`;

const waitingSql = sql(
  'sign_up_places',
  `SELECT id, encode(network, 'hex') AS network FROM sign_ups
   WHERE ${isWaiting} ORDER BY created_at, id`,
);

/** The sign-ups that wait for an address, the oldest first. */
export async function listWaiting(tx: Tx, email: string, lifeMs: number): Promise<WaitingSignUp[]> {
  return tx.query<WaitingSignUp>(waitingSql, [email, lifeMs]);
}

const keepSql = sql(
  'sign_up_keep',
  `INSERT INTO sign_ups (id, email, network, password_hash, token_hash, expires_at)
   VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6::integer * interval '1 millisecond')`,
);

/** Keeps a sign-up until a code comes for its address, whether or not that has an account. */
export async function keepSignUp(
  tx: Tx,
  signUp: PendingSignUp & {
    readonly email: string;
    readonly network: Buffer;
    readonly lifeMs: number;
  },
): Promise<void> {
  const { id, email, network, passwordHash, tokenHash, lifeMs } = signUp;
  await tx.execute(keepSql, [id, email, network, passwordHash, tokenHash, lifeMs]);
}

const removeSql = sql('sign_up_remove', 'DELETE FROM sign_ups WHERE id = $1');

export async function removeSignUp(tx: Tx, id: string): Promise<void> {
  await tx.execute(removeSql, [id]);
}

type Row = { id: string; password_hash: string; token_hash: Buffer };
const toPending = (row: Row): PendingSignUp => ({
  id: row.id,
  passwordHash: row.password_hash,
  tokenHash: row.token_hash,
});

const listSql = sql(
  'sign_up_list',
  `SELECT id, password_hash, token_hash FROM sign_ups
   WHERE ${isWaiting} ORDER BY created_at DESC, id DESC`,
);

/** The sign-ups that wait for an address, the newest first. */
export async function listSignUps(tx: Tx, email: string, lifeMs: number): Promise<PendingSignUp[]> {
  return (await tx.query<Row>(listSql, [email, lifeMs])).map(toPending);
}

const lockSql = sql(
  'sign_up_lock_all',
  'SELECT id FROM sign_ups WHERE email = $1 ORDER BY created_at, id FOR UPDATE',
);

/** Locks all sign-ups of an address, and gives their ids. */
export async function lockSignUps(tx: Tx, email: string): Promise<string[]> {
  return (await tx.query<{ id: string }>(lockSql, [email])).map(({ id }) => id);
}

const removeAllSql = sql('sign_up_remove_all', 'DELETE FROM sign_ups WHERE email = $1');

export async function removeSignUps(tx: Tx, email: string): Promise<void> {
  await tx.execute(removeAllSql, [email]);
}

const pruneSql = sql(
  'sign_up_prune',
  `DELETE FROM sign_ups WHERE id IN (
     -- In a query of its own, since an index cannot follow a clock that goes on.
     SELECT id FROM sign_ups WHERE expires_at < (SELECT clock_timestamp())
     LIMIT $1 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets sign-ups whose code was never entered: at most `limit` rows, and how many those were. */
export async function pruneSignUps(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneSql, [limit]);
}
