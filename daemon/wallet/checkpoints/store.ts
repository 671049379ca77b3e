import { sql, type Tx } from '../../platform/db/db.ts';
import { toHashArray, toInt8Array, toUuidArray } from '../../platform/db/sql-arrays.ts';

/** A checkpoint as it is stored. */
export type StoredCheckpoint = {
  readonly number: bigint;
  readonly origin: string;
  readonly takenAtMs: number;
  readonly size: bigint;
  readonly root: Buffer;
  /** What was signed. */
  readonly text: string;
  readonly signature: string;
  readonly keyId: string;
};

/** Of each block of leaves, in order: the id of its first wallet, and the root of its subtree. */
export type Blocks = { readonly starts: Buffer; readonly roots: Buffer };

/** A wallet's leaf: its last transaction at a checkpoint. */
export type Leaf = { readonly walletId: string; readonly seq: bigint; readonly hash: string };

type CheckpointRow = {
  number: bigint;
  origin: string;
  taken_at: number;
  size: bigint;
  root: Buffer;
  text: string;
  signature: string;
  key_id: string;
};

const columns = 'number, origin, taken_at, size, root, text, signature, key_id';

const toCheckpoint = (row: CheckpointRow): StoredCheckpoint => {
  const { number, origin, taken_at: takenAtMs, size, root, text, signature, key_id: keyId } = row;
  return { number, origin, takenAtMs, size, root, text, signature, keyId };
};

/** Any number that no other lock of this database has. */
const lockNumber = 7_318_402_551;
const lockSql = sql('checkpoint_lock', 'SELECT pg_try_advisory_xact_lock($1) AS is_locked');

/** False while another transaction takes a checkpoint. */
export async function lockTaking(tx: Tx): Promise<boolean> {
  const [row] = await tx.query<{ is_locked: boolean }>(lockSql, [lockNumber]);
  return row?.is_locked ?? false;
}

const lastSql = sql(
  'checkpoint_last',
  `SELECT ${columns} FROM checkpoints ORDER BY number DESC LIMIT 1`,
);

export async function findLast(tx: Tx): Promise<StoredCheckpoint | undefined> {
  const [row] = await tx.query<CheckpointRow>(lastSql);
  return row && toCheckpoint(row);
}

const oneSql = sql('checkpoint_one', `SELECT ${columns} FROM checkpoints WHERE number = $1`);

export async function findCheckpoint(
  tx: Tx,
  number: bigint,
): Promise<StoredCheckpoint | undefined> {
  const [row] = await tx.query<CheckpointRow>(oneSql, [number]);
  return row && toCheckpoint(row);
}

const listSql = sql(
  'checkpoint_list',
  `SELECT ${columns} FROM checkpoints WHERE number < $1 ORDER BY number DESC LIMIT $2`,
);

/** Checkpoints before a number, the newest first. */
export async function listCheckpoints(
  tx: Tx,
  before: bigint,
  limit: number,
): Promise<StoredCheckpoint[]> {
  return (await tx.query<CheckpointRow>(listSql, [before, limit])).map(toCheckpoint);
}

const listAfterSql = sql(
  'checkpoint_list_after',
  `SELECT ${columns} FROM checkpoints WHERE number > $1 ORDER BY number LIMIT $2`,
);

/** Checkpoints after a number, the oldest first. */
export async function listAfter(tx: Tx, after: bigint, limit: number): Promise<StoredCheckpoint[]> {
  return (await tx.query<CheckpointRow>(listAfterSql, [after, limit])).map(toCheckpoint);
}

const insertSql = sql(
  'checkpoint_insert',
  `INSERT INTO checkpoints (${columns}, block_starts, block_roots)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
);

export async function insertCheckpoint(
  tx: Tx,
  { takenAtMs, ...checkpoint }: StoredCheckpoint,
  { starts, roots }: Blocks,
): Promise<void> {
  const { number, origin, size, root, text, signature, keyId } = checkpoint;
  const at = new Date(takenAtMs).toISOString();
  await tx.execute(insertSql, [
    number,
    origin,
    at,
    size,
    root,
    text,
    signature,
    keyId,
    starts,
    roots,
  ]);
}

const keySql = sql(
  'checkpoint_key_insert',
  'INSERT INTO checkpoint_keys (key_id, public_key) VALUES ($1, $2) ON CONFLICT DO NOTHING',
);

/** Keeps a public key, so that what it signed can be verified after another has taken its place. */
export async function keepKey(tx: Tx, keyId: string, publicKeyPem: string): Promise<void> {
  await tx.execute(keySql, [keyId, publicKeyPem]);
}

const findKeySql = sql(
  'checkpoint_key',
  'SELECT public_key FROM checkpoint_keys WHERE key_id = $1',
);

export async function findKey(tx: Tx, keyId: string): Promise<string | undefined> {
  const [row] = await tx.query<{ public_key: string }>(findKeySql, [keyId]);
  return row?.public_key;
}

type LeafRow = { wallet_id: string; seq: bigint; hash: Buffer };
type WalletRow = LeafRow & { leaf_seq: bigint | null; leaf_hash: Buffer | null };

const walletsSql = sql(
  'checkpoint_wallets',
  `SELECT w.id AS wallet_id, w.seq, w.last_hash AS hash, l.seq AS leaf_seq, l.hash AS leaf_hash
   FROM (SELECT id, seq, last_hash FROM wallets WHERE id > $1 ORDER BY id LIMIT $2) AS w
   LEFT JOIN LATERAL (SELECT seq, hash FROM checkpoint_leaves
     WHERE wallet_id = w.id ORDER BY number DESC LIMIT 1) AS l ON true
   ORDER BY w.id`,
);

/** The wallets after an id, as leaves; `isNew` where the last checkpoint has another leaf, or none. */
export async function readWalletLeaves(
  tx: Tx,
  afterId: string,
  limit: number,
): Promise<(Leaf & { readonly isNew: boolean })[]> {
  const rows = await tx.query<WalletRow>(walletsSql, [afterId, limit]);
  return rows.map((row) => ({
    ...toLeaf(row),
    isNew: row.leaf_seq !== row.seq || row.leaf_hash?.equals(row.hash) !== true,
  }));
}

const toLeaf = ({ wallet_id: walletId, seq, hash }: LeafRow): Leaf => ({
  walletId,
  seq,
  hash: hash.toString('hex'),
});

const insertLeavesSql = sql(
  'checkpoint_leaves_insert',
  `INSERT INTO checkpoint_leaves (wallet_id, number, seq, hash)
   SELECT wallet_id, $4, seq, hash
   FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS leaf(wallet_id, seq, hash)`,
);

export async function insertLeaves(tx: Tx, number: bigint, leaves: readonly Leaf[]): Promise<void> {
  if (leaves.length === 0) return;
  await tx.execute(insertLeavesSql, [
    toUuidArray(leaves, (leaf) => leaf.walletId),
    toInt8Array(leaves, (leaf) => leaf.seq),
    toHashArray(leaves, (leaf) => leaf.hash),
    number,
  ]);
}

const leavesSql = sql(
  'checkpoint_leaves_read',
  // From wallet to wallet in the index: a wallet may have a leaf for each hour of years.
  `WITH RECURSIVE ids AS (
     (SELECT wallet_id FROM checkpoint_leaves WHERE wallet_id >= $1 AND wallet_id > $2
      ORDER BY wallet_id LIMIT 1)
     UNION ALL
     SELECT (SELECT l.wallet_id FROM checkpoint_leaves l WHERE l.wallet_id > ids.wallet_id
             ORDER BY l.wallet_id LIMIT 1)
     FROM ids WHERE ids.wallet_id IS NOT NULL)
   SELECT ids.wallet_id, leaf.seq, leaf.hash FROM ids
   CROSS JOIN LATERAL (SELECT seq, hash FROM checkpoint_leaves
     WHERE wallet_id = ids.wallet_id AND number <= $3 ORDER BY number DESC LIMIT 1) AS leaf
   LIMIT $4`,
);

/** The leaves of a checkpoint in order, from the wallet `fromId` on, or after `afterId`. */
export async function readLeaves(
  tx: Tx,
  number: bigint,
  place: { readonly fromId: string } | { readonly afterId: string },
  limit: number,
): Promise<Leaf[]> {
  const [fromId, afterId] =
    'fromId' in place ? [place.fromId, beforeAll] : [place.afterId, place.afterId];
  return (await tx.query<LeafRow>(leavesSql, [fromId, afterId, number, limit])).map(toLeaf);
}

/** No wallet has it. */
export const beforeAll = '00000000-0000-0000-0000-000000000000';

const anchorSql = sql(
  'checkpoint_anchor',
  `SELECT ${columns}, block_starts, block_roots FROM checkpoints
   WHERE taken_at >= $1 AND number >= $2 ORDER BY taken_at, number LIMIT 1`,
);

type AnchorRow = CheckpointRow & { block_starts: Buffer; block_roots: Buffer };

/** The first checkpoint that was taken at a time or later, from a number on, with its blocks. */
export async function findFrom(
  tx: Tx,
  timeMs: number,
  number: bigint,
): Promise<{ readonly checkpoint: StoredCheckpoint; readonly blocks: Blocks } | undefined> {
  const [row] = await tx.query<AnchorRow>(anchorSql, [new Date(timeMs).toISOString(), number]);
  if (!row) return undefined;
  const blocks = { starts: row.block_starts, roots: row.block_roots };
  return { checkpoint: toCheckpoint(row), blocks };
}

const leafFromSql = sql(
  'checkpoint_leaf_from',
  `SELECT number FROM checkpoint_leaves WHERE wallet_id = $1 AND seq >= $2 ORDER BY number LIMIT 1`,
);

/** The first checkpoint that has this entry of a wallet, or a later one. */
export async function findFirstWith(
  tx: Tx,
  walletId: string,
  seq: bigint,
): Promise<bigint | undefined> {
  const [row] = await tx.query<{ number: bigint }>(leafFromSql, [walletId, seq]);
  return row?.number;
}

/** A wallet, and its entry of a leaf's seq, as they are now. */
export type EntryAt = {
  readonly userId: string | null;
  readonly currency: string | null;
  readonly hash: Buffer | null;
  readonly lastSeq: bigint | null;
};

const entriesAtSql = sql(
  'checkpoint_compare',
  `SELECT asked.id AS wallet_id, w.user_id, w.currency, t.hash, last.seq AS last_seq
   FROM unnest($1::uuid[], $2::bigint[]) AS asked(id, seq)
   LEFT JOIN wallets w ON w.id = asked.id
   LEFT JOIN LATERAL (SELECT hash FROM transactions
     WHERE wallet_id = asked.id AND seq = asked.seq OFFSET 0) t ON true
   LEFT JOIN LATERAL (SELECT seq FROM transactions
     WHERE wallet_id = asked.id ORDER BY seq DESC LIMIT 1) last ON true`,
);

/** What the ledger has where these leaves say what it had. */
export async function readEntriesAt(
  tx: Tx,
  leaves: readonly Leaf[],
): Promise<ReadonlyMap<string, EntryAt>> {
  type Row = {
    wallet_id: string;
    user_id: string | null;
    currency: string | null;
    hash: Buffer | null;
    last_seq: bigint | null;
  };
  const rows = await tx.query<Row>(entriesAtSql, [
    toUuidArray(leaves, (leaf) => leaf.walletId),
    toInt8Array(leaves, (leaf) => leaf.seq),
  ]);
  return new Map(
    rows.map((row) => [
      row.wallet_id,
      { userId: row.user_id, currency: row.currency, hash: row.hash, lastSeq: row.last_seq },
    ]),
  );
}
