import { sql, type Db } from '../platform/db.ts';
import type { Oldest } from '../platform/progress/watch.ts';
import type { Line } from './domain.ts';

/** Lines that should be there because a later one of their wallet is. */
export type Gaps = {
  /** These lines were stored. */
  note(lines: readonly Line[]): void;
  /** The line that has been missing longest. */
  findOldest(): Promise<Oldest | undefined>;
};

const maxWallets = 50_000;
const maxSuspects = 5_000;
const maxAtOnce = 500;

const missingSql = sql(
  'line_missing',
  `SELECT wallet_id, seq FROM unnest($1::uuid[], $2::bigint[]) AS expected (wallet_id, seq)
   WHERE NOT EXISTS (
     SELECT FROM statement_lines AS l
     WHERE l.wallet_id = expected.wallet_id AND l.seq = expected.seq)`,
);

type Place = { readonly walletId: string; readonly seq: bigint };

/**
 * Sees gaps in what comes: a line whose predecessor did not come before it is looked up. Gaps that
 * were there before this process started are found once their wallet moves.
 */
export function createGaps(db: Db): Gaps {
  const lastSeqs = new Map<string, bigint>();
  // In the order in which they were first seen.
  const suspects = new Map<string, Place>();

  const noteLine = ({ walletId, seq }: Place): void => {
    const last = lastSeqs.get(walletId);
    if (last !== undefined && seq <= last) return;
    const isNext = seq === (last ?? 0n) + 1n;
    if (lastSeqs.size >= maxWallets && last === undefined) lastSeqs.clear();
    lastSeqs.set(walletId, seq);
    if (isNext || suspects.size >= maxSuspects) return;
    const before = { walletId, seq: seq - 1n };
    suspects.set(`${walletId} ${before.seq}`, before);
  };
  return {
    note: (lines) => lines.forEach(noteLine),
    findOldest: async () => {
      if (suspects.size === 0) return undefined;
      const asked = [...suspects].slice(0, maxAtOnce);
      const walletIds = asked.map(([, place]) => place.walletId);
      const seqs = asked.map(([, place]) => place.seq);
      type Row = { wallet_id: string; seq: bigint };
      const rows = await db.read((tx) => tx.query<Row>(missingSql, [walletIds, seqs]));
      const missing = new Set(rows.map((row) => `${row.wallet_id} ${row.seq}`));
      for (const [key] of asked) if (!missing.has(key)) suspects.delete(key);
      const oldest = asked.find(([key]) => missing.has(key));
      if (!oldest) return undefined;
      const [key, { walletId, seq }] = oldest;
      const command = `walletd statements rebuild --wallet ${walletId}`;
      return { key, reason: `line ${seq} of wallet ${walletId} is missing: ${command}` };
    },
  };
}
