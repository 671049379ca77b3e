import { isUuid } from '../../../core/ids.ts';
import {
  idOffset,
  lineColumns,
  readSeq,
  readUuid,
} from '../../../core/ledger-check/index.ts';
import { copyBinary, createPages, type Pages, type PageSize } from '../../platform/db/copy-pages.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { LinePlace } from '../rebuild/store.ts';

/** The lines of some wallets, in order of wallet and seq, as rows of `lineColumns`. */
export function openLines(
  tx: Tx,
  span: { readonly first: string; readonly last: string },
  size: PageSize,
): Pages {
  if (!isUuid(span.first) || !isUuid(span.last)) throw new Error('not the id of a wallet');
  return createPages(
    {
      first: { id: span.first, seq: -1 },
      read: (after, limit, take) =>
        copyBinary(
          tx,
          `SELECT ${lineColumns.join(', ')} FROM statement_lines
           WHERE (wallet_id, seq) > ('${after.id}', ${after.seq}) AND wallet_id <= '${span.last}'
           ORDER BY wallet_id, seq LIMIT ${limit}`,
          take,
        ),
      placeOf: (bytes, start) => ({
        id: readUuid(bytes, start + idOffset),
        seq: readSeq(bytes, start),
      }),
    },
    size,
  );
}

const absentSql = sql(
  'verify_absent',
  `SELECT asked.place::int AS place
   FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS asked(wallet_id, seq, place)
   LEFT JOIN LATERAL (SELECT 1 AS one FROM statement_lines
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq OFFSET 0) l ON true
   WHERE l.one IS NULL`,
);

/** Those of the places that have no line. */
export async function findAbsent<P extends LinePlace>(tx: Tx, places: readonly P[]): Promise<P[]> {
  const values = [places.map((p) => p.walletId), places.map((p) => p.seq)];
  const rows = await tx.query<{ place: number }>(absentSql, values);
  return rows.flatMap(({ place }) => places[place - 1] ?? []);
}

const lettersSql = sql(
  'verify_letters',
  `SELECT id, body FROM dead_letters WHERE state = 'pending' AND id > $1 ORDER BY id LIMIT $2`,
);

/** Pending dead letters behind an id. */
export const readPendingLetters = (tx: Tx, afterId: string, limit: number) =>
  tx.query<{ id: string; body: string }>(lettersSql, [afterId, limit]);
