import type { Operation } from '../../../core/operations.ts';
import type { Role } from '../../../core/roles.ts';
import type { ApiKeyScope } from '../../../core/scopes.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { Revocation } from '../../platform/access/revocations.ts';
import type { ApiKey, NewApiKey } from './domain.ts';
import { isAfterCursor, microsOf, type Cursor, type Paged } from '../users/store.ts';

type Row = {
  id: string;
  owner_id: string;
  name: string;
  prefix: string;
  scopes: ApiKeyScope[];
  wallet_id: string | null;
  operations: Operation[];
  created_at: number;
  expires_at: number;
  last_used_at: number | null;
  revoked_at: number | null;
};

const columns = `k.id, k.owner_id, k.name, k.prefix, k.scopes, k.wallet_id, k.operations,
  k.created_at, k.expires_at, k.last_used_at, k.revoked_at`;

const countSql = sql(
  'key_count_valid',
  `SELECT count(*) AS count FROM api_keys
   WHERE owner_id = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()`,
);

/** How many keys of an owner still work. Holds until the commit if the owner is locked. */
export async function countValidKeys(tx: Tx, ownerId: string): Promise<bigint> {
  const [row] = await tx.query<{ count: bigint }>(countSql, [ownerId]);
  return row?.count ?? 0n;
}

const recentSql = sql(
  'key_count_recent',
  // With an upper bound: what was made while a clock was ahead counts for no longer than the rest.
  `SELECT count(*) AS count FROM api_keys
   WHERE owner_id = $1 AND created_at > clock_timestamp() - interval '1 hour'
     AND created_at <= clock_timestamp() + interval '15 minutes'`,
);

/** How many keys an owner has made within the hour, whether or not they still work. Likewise. */
export async function countRecentKeys(tx: Tx, ownerId: string): Promise<bigint> {
  const [row] = await tx.query<{ count: bigint }>(recentSql, [ownerId]);
  return row?.count ?? 0n;
}

const insertSql = sql(
  'key_insert',
  `INSERT INTO api_keys AS k
     (id, owner_id, name, prefix, secret_hash, scopes, wallet_id, operations, expires_at)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${columns}`,
);

export async function insertKey(
  tx: Tx,
  key: NewApiKey & {
    readonly id: string;
    readonly ownerId: string;
    readonly prefix: string;
    readonly secretHash: Buffer;
  },
): Promise<ApiKey> {
  const [row] = await tx.query<Row>(insertSql, [
    key.id,
    key.ownerId,
    key.name,
    key.prefix,
    key.secretHash,
    key.scopes,
    key.walletId,
    key.operations,
    new Date(key.expiresAtMs).toISOString(),
  ]);
  if (!row) throw new Error('an inserted API key was not returned');
  return toKey(row);
}

const listSql = sql(
  'key_list',
  `SELECT ${columns}, ${microsOf('k.created_at')} FROM api_keys k
   WHERE ${isAfterCursor('k')} AND k.owner_id = $4
   ORDER BY k.created_at DESC, k.id DESC LIMIT $3`,
);

/** At most `limit` keys of an owner, the newest first, whether or not they still work. */
export async function listKeys(
  tx: Tx,
  ownerId: string,
  after: Cursor | undefined,
  limit: number,
): Promise<Paged<ApiKey>[]> {
  const values = [after?.micros ?? null, after?.id ?? null, limit, ownerId];
  const rows = await tx.query<Row & { micros: bigint }>(listSql, values);
  return rows.map((row) => ({
    item: toKey(row),
    cursor: { micros: String(row.micros), id: row.id },
  }));
}

const bySecretSql = sql(
  'key_by_secret',
  `SELECT ${columns}, u.role, u.disabled, u.totp_enabled FROM api_keys k JOIN users u ON u.id = k.owner_id
   WHERE k.secret_hash = $1 FOR SHARE OF u`,
);

/**
 * A key with its owner as they are now. Waits for a change of the owner that is under way, so that
 * a clock read before this call is never later than a change that it does not know of.
 */
export async function findKeyBySecret(
  tx: Tx,
  secretHash: Buffer,
): Promise<
  | {
      readonly key: ApiKey;
      readonly role: Role;
      readonly isOwnerDisabled: boolean;
      readonly hasOwnerTotp: boolean;
    }
  | undefined
> {
  type OwnerRow = { role: Role; disabled: boolean; totp_enabled: boolean };
  const [row] = await tx.query<Row & OwnerRow>(bySecretSql, [secretHash]);
  if (!row) return undefined;
  const { role, disabled: isOwnerDisabled, totp_enabled: hasOwnerTotp } = row;
  return { key: toKey(row), role, isOwnerDisabled, hasOwnerTotp };
}

const noteUseSql = sql(
  'key_note_use',
  `UPDATE api_keys SET last_used_at = clock_timestamp()
   WHERE id = $1
     AND (last_used_at IS NULL OR last_used_at <= clock_timestamp() - interval '1 minute'
       OR last_used_at > clock_timestamp())`,
);

/** Notes that a key was used, at most once a minute. */
export async function noteKeyUse(tx: Tx, id: string): Promise<void> {
  await tx.execute(noteUseSql, [id]);
}

const lockSql = sql(
  'key_lock',
  `SELECT ${columns} FROM api_keys k
   WHERE k.id = $1 AND ($2::uuid IS NULL OR k.owner_id = $2) FOR UPDATE`,
);

/** Locks a key, of this owner only if one is given. */
export async function lockKey(
  tx: Tx,
  id: string,
  ownerId: string | undefined,
): Promise<ApiKey | undefined> {
  const [row] = await tx.query<Row>(lockSql, [id, ownerId]);
  return row && toKey(row);
}

const existsSql = sql('key_exists', 'SELECT 1 FROM api_keys WHERE id = $1');

/** Whether there is this key, of any owner. */
export async function hasKey(tx: Tx, id: string): Promise<boolean> {
  return (await tx.query(existsSql, [id])).length > 0;
}

const revokeSql = sql(
  'key_revoke',
  `WITH revoked AS (
     UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = $1 AND revoked_at IS NULL
     RETURNING id, revoked_at)
   INSERT INTO revocations (kind, subject_id, revoked_at)
   SELECT 'api-key', id, revoked_at FROM revoked
   RETURNING revoked_at`,
);

/** Revokes a key permanently and adds it to the feed; undefined if it had ended before. */
export async function revokeKey(tx: Tx, id: string): Promise<Revocation | undefined> {
  const [row] = await tx.query<{ revoked_at: number }>(revokeSql, [id]);
  return row && { kind: 'api-key', id, revokedAtMs: row.revoked_at };
}

const pruneRevokedSql = sql(
  'key_prune_revoked',
  `DELETE FROM api_keys WHERE id = ANY (ARRAY(
     SELECT id FROM api_keys WHERE revoked_at < (SELECT clock_timestamp() - interval '1 day')
     LIMIT $1 FOR UPDATE SKIP LOCKED))`,
);

/** Forgets keys that were revoked a day ago: at most `limit`, and how many those were. */
export async function pruneRevokedKeys(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneRevokedSql, [limit]);
}

const pruneExpiredSql = sql(
  'key_prune_expired',
  `DELETE FROM api_keys WHERE id = ANY (ARRAY(
     SELECT id FROM api_keys WHERE expires_at < (SELECT clock_timestamp() - interval '30 days')
     LIMIT $1 FOR UPDATE SKIP LOCKED))`,
);

/**
 * The same for keys that expired 30 days ago: until then a call with one reports that it expired.
 */
export async function pruneExpiredKeys(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneExpiredSql, [limit]);
}

const revokeAllSql = sql(
  'key_revoke_all',
  `WITH revoked AS (
     UPDATE api_keys SET revoked_at = clock_timestamp()
     WHERE owner_id = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()
     RETURNING id, revoked_at)
   INSERT INTO revocations (kind, subject_id, revoked_at)
   SELECT 'api-key', id, revoked_at FROM revoked
   RETURNING subject_id, revoked_at`,
);

/** Revokes every key of an owner whose lock the caller holds, and adds them to the feed. */
export async function revokeKeys(tx: Tx, ownerId: string): Promise<Revocation[]> {
  type Ended = { subject_id: string; revoked_at: number };
  const rows = await tx.query<Ended>(revokeAllSql, [ownerId]);
  return rows.map((row) => ({ kind: 'api-key', id: row.subject_id, revokedAtMs: row.revoked_at }));
}

function toKey(row: Row): ApiKey {
  return {
    id: row.id,
    ownerId: row.owner_id,
    name: row.name,
    prefix: row.prefix,
    scopes: row.scopes,
    walletId: row.wallet_id ?? undefined,
    operations: row.operations,
    createdAtMs: row.created_at,
    expiresAtMs: row.expires_at,
    lastUsedAtMs: row.last_used_at ?? undefined,
    isRevoked: row.revoked_at !== null,
  };
}
