import { sql, type Db } from '../../platform/db/db.ts';
import type { Oldest } from '../../platform/progress/watch.ts';
import type { Link } from '../witness/lines.ts';
import type { Skip } from '../witness/tails.ts';

/** Lines that should be there because a later one of their wallet is. */
export type Gaps = {
  /**
   * These lines were stored, and none right before them was known. `alone`: the places where none
   * is there either.
   */
  note(skips: readonly Skip[], alone: readonly Pick<Skip, 'walletId' | 'seq'>[]): void;
  /** The line that has been missing longest. */
  findOldest(): Promise<Oldest | undefined>;
};

const maxSuspects = 5_000;
const maxAtOnce = 500;

/** Of lines in one gap that have come, so many are counted. */
const maxCounted = 1_000;

// Of each gap its first missing line, and how many are missing. Where the gap's begin is not known,
// it is the line after the last one before it.
const missingSql = sql(
  'line_missing',
  `SELECT asked.wallet_id, asked.high, hole.first, asked.high - hole.first + 1 - rest.present AS missing
   FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS asked (wallet_id, low, high)
   CROSS JOIN LATERAL (
     SELECT CASE WHEN asked.low > 0 THEN asked.low ELSE 1 + coalesce((
       SELECT b.seq FROM statement_lines AS b
       WHERE b.wallet_id = asked.wallet_id AND b.seq < asked.high
       ORDER BY b.seq DESC LIMIT 1), 0) END AS low) AS begun
   CROSS JOIN LATERAL (
     SELECT CASE WHEN NOT EXISTS (
       SELECT FROM statement_lines AS l
       WHERE l.wallet_id = asked.wallet_id AND l.seq = begun.low) THEN begun.low ELSE (
       SELECT l.seq + 1 FROM statement_lines AS l
       WHERE l.wallet_id = asked.wallet_id AND l.seq >= begun.low AND l.seq < asked.high
         AND NOT EXISTS (
           SELECT FROM statement_lines AS n WHERE n.wallet_id = l.wallet_id AND n.seq = l.seq + 1)
       ORDER BY l.seq LIMIT 1) END AS first) AS hole
   CROSS JOIN LATERAL (
     SELECT count(*) AS present FROM (
       SELECT FROM statement_lines AS p
       WHERE p.wallet_id = asked.wallet_id AND p.seq > hole.first AND p.seq <= asked.high
       LIMIT ${maxCounted}) AS counted) AS rest
   WHERE hole.first IS NOT NULL`,
);

type Row = { wallet_id: string; high: bigint; first: bigint; missing: bigint };

/** Lines that may be missing, up to `high`. `low` is 0 where the first of them is not known. */
type Gap = { readonly walletId: string; low: bigint; readonly high: bigint };

const keyOf = (walletId: string, seq: bigint): string => `${walletId} ${seq}`;

/**
 * Looks up the lines that others skipped until all are there: of the gaps whose later end this
 * process stores. `onClosed` gets the links to lines whose predecessor came after them; if it
 * rejects, it gets them again. `onFull` is called when there are more gaps than can be kept, and
 * once more only after all could be kept for a while.
 */
export function createGaps(
  db: Db,
  onClosed: (links: readonly Link[]) => Promise<void> = () => Promise.resolve(),
  onFull: () => void = () => undefined,
): Gaps {
  // In the order in which they were first seen.
  const suspects = new Map<string, Gap>();
  let isFull = false;

  return {
    note: (skips, alone) => {
      if (alone.length === 0) return;
      const places = new Set(alone.map(({ walletId, seq }) => keyOf(walletId, seq)));
      for (const { walletId, seq, lastSeq } of skips) {
        if (!places.has(keyOf(walletId, seq))) continue;
        if (suspects.size >= maxSuspects) {
          if (!isFull) onFull();
          isFull = true;
          return;
        }
        const high = seq - 1n;
        suspects.set(keyOf(walletId, high), { walletId, low: (lastSeq ?? -1n) + 1n, high });
      }
    },
    findOldest: async () => {
      if (suspects.size === 0) return undefined;
      const asked = [...suspects].slice(0, maxAtOnce);
      const gaps = asked.map(([, gap]) => gap);
      const values = [
        gaps.map(({ walletId }) => walletId),
        gaps.map(({ low }) => low),
        gaps.map(({ high }) => high),
      ];
      const rows = await db.read((tx) => tx.query<Row>(missingSql, values));
      const found = new Map(rows.map((row) => [keyOf(row.wallet_id, row.high), row]));
      const closed = asked.filter(([key]) => !found.has(key));
      if (closed.length > 0) {
        await onClosed(
          closed.map(([, { walletId, high }]) => ({ walletId, seq: high + 1n, isEnd: false })),
        );
      }
      let oldest: Row | undefined;
      for (const [key, gap] of asked) {
        const row = found.get(key);
        if (!row) suspects.delete(key);
        else gap.low = row.first;
        oldest ??= row;
      }
      if (suspects.size < maxSuspects / 2) isFull = false;
      if (!oldest) return undefined;
      const key = keyOf(oldest.wallet_id, oldest.high);
      return { key, level: -Number(oldest.missing), reason: describe(oldest, found.size) };
    },
  };
}

function describe({ wallet_id: walletId, first, high, missing }: Row, gaps: number): string {
  const of = `of wallet ${walletId}`;
  const range = `lines ${first} to ${high} ${of}`;
  const what =
    missing === 1n && first === high
      ? `line ${first} ${of} is missing`
      : missing === high - first + 1n
        ? `${range} are missing`
        : `${missing} of ${range} are missing`;
  const more = gaps > 1 ? ` (and ${gaps - 1} more ${gaps > 2 ? 'gaps' : 'gap'})` : '';
  return `${what}${more}: walletd statements rebuild --wallet ${walletId}`;
}
