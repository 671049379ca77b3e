import { sql, type Tx } from '../../platform/db.ts';
import {
  toHashArray,
  toInt2Array,
  toInt8Array,
  toTextArray,
  toUuidArray,
} from '../../platform/sql-arrays.ts';
import type { Line } from '../domain.ts';
import type { Divergence, DivergenceKind, Link } from './lines.ts';

/** Of one wallet, at a time when they are not resolved; more would say nothing new. */
const maxOpenPerWallet = 100n;
const maxPerStatement = 20;
const maxEventLength = 16_384;

const recordSql = sql(
  'divergence_record',
  `INSERT INTO divergences (id, wallet_id, seq, kind, hash, event)
   SELECT d.* FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bytea[], $6::text[])
     AS d(id, wallet_id, seq, kind, hash, event)
   WHERE (SELECT count(*) FROM (SELECT 1 FROM divergences o
     WHERE o.wallet_id = d.wallet_id AND o.resolved_at IS NULL LIMIT $7) found) < $7
   ORDER BY d.id
   ON CONFLICT (id) DO NOTHING`,
);

/** Keeps divergences, each once, so many of a wallet. The number of new ones. */
export async function recordDivergences(
  tx: Tx,
  divergences: readonly Divergence[],
): Promise<number> {
  const counts = new Map<string, number>();
  const kept = divergences.filter(({ walletId }) => {
    const count = counts.get(walletId) ?? 0;
    counts.set(walletId, count + 1);
    return count < maxPerStatement;
  });
  return tx.execute(recordSql, [
    toUuidArray(kept, (d) => d.id),
    toUuidArray(kept, (d) => d.walletId),
    toInt8Array(kept, (d) => d.seq),
    toTextArray(kept, (d) => d.kind),
    toHashArray(kept, (d) => d.hash),
    toTextArray(kept, (d) => toText(d.line)),
    maxOpenPerWallet,
  ]);
}

function toText(line: Line | undefined): string | undefined {
  if (!line) return undefined;
  const text = JSON.stringify(line, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return text.length > maxEventLength ? undefined : text;
}

const linksSql = sql(
  'witness_links',
  `SELECT asked.wallet_id, l.seq, l.hash, asked.is_end = 1 AS is_end,
     before.is_broken IS TRUE AS is_broken
   FROM unnest($1::uuid[], $2::bigint[], $3::smallint[]) AS asked(wallet_id, seq, is_end)
   CROSS JOIN LATERAL (SELECT seq, hash, previous_hash FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND seq >= asked.seq ORDER BY seq LIMIT 1) l
   LEFT JOIN LATERAL (SELECT l.previous_hash IS DISTINCT FROM hash AS is_broken
     FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq - 1 AND l.seq = asked.seq
     OFFSET 0) before ON true
   WHERE before.is_broken OR asked.is_end = 1`,
);

export type Place = { readonly walletId: string; readonly seq: bigint; readonly hash: string };
type PlaceRow = { wallet_id: string; seq: bigint; hash: Buffer };

const toPlace = ({ wallet_id: walletId, seq, hash }: PlaceRow): Place => ({
  walletId,
  seq,
  hash: hash.toString('hex'),
});

/**
 * `broken`: those of the links whose two lines are there and do not follow each other. `later`: of
 * each link at an end, the first line after it, if there is one.
 */
export async function lookUpLinks(
  tx: Tx,
  links: readonly Link[],
): Promise<{ readonly broken: Place[]; readonly later: Place[] }> {
  const rows = await tx.query<PlaceRow & { is_broken: boolean; is_end: boolean }>(linksSql, [
    toUuidArray(links, (l) => l.walletId),
    toInt8Array(links, (l) => l.seq),
    toInt2Array(links, (l) => (l.isEnd ? 1 : 0)),
  ]);
  return {
    broken: rows.filter((row) => row.is_broken).map(toPlace),
    later: rows.filter((row) => row.is_end).map(toPlace),
  };
}

const othersSql = sql(
  'witness_others',
  `SELECT asked.wallet_id, asked.seq, asked.hash
   FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS asked(wallet_id, seq, hash)
   CROSS JOIN LATERAL (SELECT hash FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq OFFSET 0) l
   WHERE l.hash <> asked.hash`,
);

/** Where another line than one of these is there. */
export async function findOthers(tx: Tx, lines: readonly Place[]): Promise<Place[]> {
  const rows = await tx.query<PlaceRow>(othersSql, [
    toUuidArray(lines, (l) => l.walletId),
    toInt8Array(lines, (l) => l.seq),
    toHashArray(lines, (l) => l.hash),
  ]);
  return rows.map(toPlace);
}

const openSql = sql(
  'divergence_open',
  `SELECT seq, kind, hash FROM divergences
   WHERE wallet_id = $1 AND resolved_at IS NULL ORDER BY seq LIMIT 1`,
);

/** The first divergence of a wallet that is not resolved. */
export async function findOpenDivergence(
  tx: Tx,
  walletId: string,
): Promise<Pick<Divergence, 'seq' | 'kind' | 'hash'> | undefined> {
  type Row = { seq: bigint; kind: DivergenceKind; hash: Buffer };
  const [row] = await tx.query<Row>(openSql, [walletId]);
  return row && { ...row, hash: row.hash.toString('hex') };
}

/** Counted up to this number. */
export const maxCounted = 1_000n;

const countSql = sql(
  'divergence_count',
  `SELECT count(*) AS count FROM (
     SELECT 1 FROM divergences WHERE resolved_at IS NULL ORDER BY wallet_id LIMIT $1) found`,
);

/** How many are not resolved, up to `maxCounted`. */
export async function countOpenDivergences(tx: Tx): Promise<bigint> {
  const [row] = await tx.query<{ count: bigint }>(countSql, [maxCounted]);
  return row?.count ?? 0n;
}

const resolveSql = (name: string, which: string) =>
  sql(
    name,
    `UPDATE divergences SET resolved_at = clock_timestamp(), resolved_by = $1
     WHERE resolved_at IS NULL AND found_at < $2::timestamptz + interval '1 ms' ${which}`,
  );
const resolveAllSql = resolveSql('divergence_resolve_all', '');
const resolveWalletSql = resolveSql('divergence_resolve', 'AND wallet_id = $3');

/** Marks what was found until a time as resolved, of one wallet or all. Their number. */
export async function resolveDivergences(
  tx: Tx,
  by: string,
  untilMs: number,
  walletId: string | undefined,
): Promise<number> {
  const values = [by, new Date(untilMs).toISOString()];
  return walletId === undefined
    ? tx.execute(resolveAllSql, values)
    : tx.execute(resolveWalletSql, [...values, walletId]);
}
