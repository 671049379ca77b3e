import { sql, type Tx } from '../../platform/db/db.ts';
import { toInt8Array, toUuidArray } from '../../platform/db/sql-arrays.ts';
import type { Line } from '../domain.ts';
import { toLine, type LineRow } from '../store.ts';
import type { Divergence } from '../witness/lines.ts';
import type { WatchScope } from './cursor.ts';

/** A wallet with its last line. */
export type WatchedWallet = Pick<Line, 'walletId' | 'userId' | 'currency' | 'seq' | 'hash'>;

type WalletRow = Pick<LineRow, 'wallet_id' | 'user_id' | 'currency' | 'seq' | 'hash'>;

const walletsSql = sql(
  'watch_wallets',
  `SELECT first.wallet_id, first.user_id, first.currency, last.seq, last.hash
   FROM statement_lines AS first
   CROSS JOIN LATERAL (SELECT seq, hash FROM statement_lines
     WHERE wallet_id = first.wallet_id ORDER BY seq DESC LIMIT 1) AS last
   WHERE first.user_id = ANY($1::uuid[]) AND first.seq = 1
     AND ($2::uuid IS NULL OR first.wallet_id = $2)
   ORDER BY first.user_id, first.wallet_id LIMIT $3`,
);

/** The wallets of users whose first lines are there, at most `limit` of them. */
export async function findWallets(
  tx: Tx,
  { userIds, onlyWalletId }: WatchScope,
  limit: number,
): Promise<WatchedWallet[]> {
  const values = [userIds, onlyWalletId ?? null, limit];
  const rows = await tx.query<WalletRow>(walletsSql, values);
  return rows.map((row) => ({
    walletId: row.wallet_id,
    userId: row.user_id,
    currency: row.currency,
    seq: row.seq,
    hash: row.hash.toString('hex'),
  }));
}

/** A place of which the lines are wanted from `firstSeq` on. */
export type AskedPlace = {
  readonly walletId: string;
  readonly userId: string;
  readonly firstSeq: bigint;
};

const linesSql = sql(
  'watch_lines',
  `SELECT l.* FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
     AS asked (wallet_id, user_id, first_seq)
   CROSS JOIN LATERAL (SELECT * FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND user_id = asked.user_id
       -- Both ends by seq: a limit alone may be met by sorting all lines of a wallet.
       AND seq >= asked.first_seq AND seq < asked.first_seq + $4
     OFFSET 0) AS l
   ORDER BY l.wallet_id, l.seq`,
);

/** The lines of each wallet from its first seq on, in order, as far as `limit` seqs reach. */
export async function readNextLines(
  tx: Tx,
  places: readonly AskedPlace[],
  limit: number,
): Promise<Map<string, Line[]>> {
  const rows = await tx.query<LineRow>(linesSql, [...toColumns(places), limit]);
  const lines = new Map<string, Line[]>();
  for (const line of rows.map(toLine)) {
    const ofWallet = lines.get(line.walletId);
    if (ofWallet) ofWallet.push(line);
    else lines.set(line.walletId, [line]);
  }
  return lines;
}

const toColumns = (places: readonly AskedPlace[]): Buffer[] => [
  toUuidArray(places, (p) => p.walletId),
  toUuidArray(places, (p) => p.userId),
  toInt8Array(places, (p) => p.firstSeq),
];

const movedSql = sql(
  'watch_moved',
  `SELECT asked.wallet_id, asked.user_id
   FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS asked (wallet_id, user_id, first_seq)
   WHERE EXISTS (SELECT FROM statement_lines AS l
     WHERE l.wallet_id = asked.wallet_id AND l.seq = asked.first_seq)
   UNION ALL
   SELECT first.wallet_id, first.user_id FROM statement_lines AS first
   WHERE first.user_id = ANY($4::uuid[]) AND first.seq = 1 AND first.wallet_id <> ALL($1::uuid[])`,
);

/** The wallets that have the line of their place, and other wallets of the users. */
export async function findMoved(
  tx: Tx,
  places: readonly AskedPlace[],
  userIds: readonly string[],
): Promise<Pick<Line, 'walletId' | 'userId'>[]> {
  type Row = Pick<LineRow, 'wallet_id' | 'user_id'>;
  const rows = await tx.query<Row>(movedSql, [...toColumns(places), userIds]);
  return rows.map(({ wallet_id: walletId, user_id: userId }) => ({ walletId, userId }));
}

const divergencesSql = sql(
  'watch_divergences',
  `SELECT DISTINCT ON (wallet_id) wallet_id, seq, kind, hash FROM divergences
   WHERE wallet_id = ANY($1::uuid[]) AND resolved_at IS NULL
   ORDER BY wallet_id, seq`,
);

/** Of each wallet the first divergence that is not resolved. */
export async function findOpenDivergences(
  tx: Tx,
  walletIds: readonly string[],
): Promise<Map<string, Pick<Divergence, 'seq' | 'kind' | 'hash'>>> {
  type Row = Pick<Divergence, 'seq' | 'kind'> & { wallet_id: string; hash: Buffer };
  const rows = await tx.query<Row>(divergencesSql, [walletIds]);
  return new Map(
    rows.map(({ wallet_id: walletId, seq, kind, hash }) => [
      walletId,
      { seq, kind, hash: hash.toString('hex') },
    ]),
  );
}
