import { sql, type Tx } from '../../platform/db/db.ts';
import {
  toHashArray,
  toInt2Array,
  toInt8Array,
  toTextArray,
  toUuidArray,
} from '../../platform/db/sql-arrays.ts';
import type { Line } from '../domain.ts';
import { findLastBefore } from '../store-extent.ts';
import { readLastLine } from '../rebuild/store.ts';
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
   ON CONFLICT (id) DO UPDATE
   SET found_no = DEFAULT, found_at = clock_timestamp(), resolved_at = NULL, resolved_by = NULL
   WHERE divergences.resolved_at <= clock_timestamp() - $8 * interval '1 millisecond'
     OR divergences.resolved_at > clock_timestamp()`,
);

/**
 * Keeps divergences, each once, so many of a wallet; one that was resolved at least `graceMs` ago
 * is open again. The number of those that were not open before.
 */
export async function recordDivergences(
  tx: Tx,
  divergences: readonly Divergence[],
  graceMs = 0,
): Promise<number> {
  const counts = new Map<string, number>();
  // No statement can change one row twice.
  const distinct = new Map(divergences.map((divergence) => [divergence.id, divergence]));
  const kept = [...distinct.values()].filter(({ walletId }) => {
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
    graceMs,
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
     before.is_broken IS TRUE AS is_broken,
     before.is_broken IS NULL AND asked.is_end = 0 AS is_alone
   FROM unnest($1::uuid[], $2::bigint[], $3::smallint[]) AS asked(wallet_id, seq, is_end)
   CROSS JOIN LATERAL (SELECT seq, hash, previous_hash FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND seq >= asked.seq ORDER BY seq LIMIT 1) l
   LEFT JOIN LATERAL (SELECT l.previous_hash IS DISTINCT FROM hash AS is_broken
     FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq - 1 AND l.seq = asked.seq
     OFFSET 0) before ON true
   WHERE before.is_broken OR asked.is_end = 1 OR before.is_broken IS NULL AND l.seq = asked.seq`,
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
 * each link at an end, the first line after it, if there is one. `alone`: of the other links, the
 * lines whose predecessors are not there.
 */
export async function lookUpLinks(
  tx: Tx,
  links: readonly Link[],
): Promise<{ readonly broken: Place[]; readonly later: Place[]; readonly alone: Place[] }> {
  type Row = PlaceRow & { is_broken: boolean; is_end: boolean; is_alone: boolean };
  const rows = await tx.query<Row>(linksSql, [
    toUuidArray(links, (l) => l.walletId),
    toInt8Array(links, (l) => l.seq),
    toInt2Array(links, (l) => (l.isEnd ? 1 : 0)),
  ]);
  return {
    broken: rows.filter((row) => row.is_broken).map(toPlace),
    later: rows.filter((row) => row.is_end).map(toPlace),
    alone: rows.filter((row) => row.is_alone).map(toPlace),
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

/**
 * The line after the last one before a time, up to `throughSeq` at most; undefined if there is
 * none.
 */
export async function findNextSeq(
  tx: Tx,
  walletId: string,
  timeMs: number,
  throughSeq: bigint | undefined,
): Promise<bigint | undefined> {
  const last = await readLastLine(tx, walletId);
  if (!last) return undefined;
  const maxSeq = throughSeq !== undefined && throughSeq < last.seq ? throughSeq : last.seq;
  const before = await findLastBefore(tx, walletId, maxSeq, timeMs);
  return before.seq < last.seq ? before.seq + 1n : undefined;
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

const lastSql = sql(
  'divergence_last',
  'SELECT found_no FROM divergences ORDER BY found_no DESC LIMIT 1',
);

/** The number of the divergence that was found last; 0 if there is none. */
export async function readLastFound(tx: Tx): Promise<bigint> {
  const [row] = await tx.query<{ found_no: bigint }>(lastSql);
  return row?.found_no ?? 0n;
}

const resolveSql = (name: string, which: string) =>
  sql(
    name,
    `UPDATE divergences SET resolved_at = clock_timestamp(), resolved_by = $1
     WHERE resolved_at IS NULL AND found_no <= $2 ${which}`,
  );
const resolveAllSql = resolveSql('divergence_resolve_all', '');
const resolveWalletSql = resolveSql('divergence_resolve', 'AND wallet_id = $3');

/**
 * Marks what was found up to a number (`readLastFound`) as resolved, of one wallet or all. No clock
 * decides what was found before. The number of those that were open.
 */
export async function resolveDivergences(
  tx: Tx,
  by: string,
  throughNo: bigint,
  walletId: string | undefined,
): Promise<number> {
  return walletId === undefined
    ? tx.execute(resolveAllSql, [by, throughNo])
    : tx.execute(resolveWalletSql, [by, throughNo, walletId]);
}
