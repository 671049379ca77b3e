import { isUuid } from '../../../core/ids.ts';
import {
  entryColumns,
  idOffset,
  readSeq,
  readUuid,
  walletColumns,
  type UndoEntry,
} from '../../../core/ledger-check/index.ts';
import { copyBinary, createPages, type Pages, type PageSize } from '../../platform/db/copy-pages.ts';
import { sql, type Tx } from '../../platform/db/db.ts';

/** Wallets from one id to another, both included. */
export type IdSpan = { readonly first: string; readonly last: string };
type Run = <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;

const sourceText = `CASE source WHEN 1 THEN 'grpc' WHEN 2 THEN 'message'
  ELSE 'source ' || source::text END`;
const columnTexts: Readonly<Record<string, string>> = { transaction_id: 'id', source: sourceText };
const entryText = entryColumns.map((name) => columnTexts[name] ?? name).join(', ');

function checkSpan({ first, last }: IdSpan): void {
  if (!isUuid(first) || !isUuid(last)) throw new Error('not the id of a wallet');
}

/** The entries of some wallets, in order of wallet and seq, as rows of `entryColumns`. */
export function openEntries(run: Run, span: IdSpan, size: PageSize): Pages {
  checkSpan(span);
  const read = (after: { id: string; seq: number }, limit: number, take: Take) =>
    run((tx) =>
      copyBinary(
        tx,
        `SELECT ${entryText} FROM transactions
         WHERE (wallet_id, seq) > ('${after.id}', ${after.seq}) AND wallet_id <= '${span.last}'
         ORDER BY wallet_id, seq LIMIT ${limit}`,
        take,
      ),
    );
  const placeOf = (bytes: Buffer, start: number) => ({
    id: readUuid(bytes, start + idOffset),
    seq: readSeq(bytes, start),
  });
  return createPages({ first: { id: span.first, seq: -1 }, read, placeOf }, size);
}

type Take = (bytes: Buffer, start: number, end: number) => void;

/** Wallets in order of their id, as rows of `walletColumns`. */
export function openWallets(run: Run, span: IdSpan, size: PageSize): Pages {
  checkSpan(span);
  const read = (after: string, limit: number, take: Take) =>
    run((tx) =>
      copyBinary(
        tx,
        `SELECT ${walletColumns.join(', ')} FROM wallets
         WHERE id ${after === '' ? `>= '${span.first}'` : `> '${after}'`} AND id <= '${span.last}'
         ORDER BY id LIMIT ${limit}`,
        take,
      ),
    );
  const placeOf = (bytes: Buffer, start: number) => readUuid(bytes, start + idOffset);
  return createPages({ first: '', read, placeOf }, size);
}

const parentsSql = sql(
  'verify_parents',
  // A lookup per undo, spelt out, for the reason that `entry_by_id` has.
  `SELECT asked.place::int AS place, p.seq, p.operation, p.amount,
     (SELECT min(seq) FROM transactions
      WHERE wallet_id = asked.wallet_id AND parent_id = asked.id) AS first_undo
   FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked(id, wallet_id, place)
   LEFT JOIN LATERAL (SELECT seq, operation, amount FROM transactions
     WHERE id = asked.id AND wallet_id = asked.wallet_id OFFSET 0) p ON true
   ORDER BY asked.place`,
);

export type ParentRow = {
  seq: bigint | null;
  operation: number | null;
  amount: bigint | null;
  first_undo: bigint | null;
};

/** The parents of undos, in their order; nulls where there is none. */
export const findParents = (tx: Tx, undos: readonly UndoEntry[]): Promise<ParentRow[]> =>
  tx.query<ParentRow>(parentsSql, [undos.map((u) => u.parentId), undos.map((u) => u.walletId)]);

export type Place = { readonly walletId: string; readonly seq: bigint };

const hashesSql = sql(
  'verify_hashes',
  `SELECT t.hash FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS asked(wallet_id, seq, place)
   LEFT JOIN LATERAL (SELECT hash FROM transactions
     WHERE wallet_id = asked.wallet_id AND seq = asked.seq OFFSET 0) t ON true
   ORDER BY asked.place`,
);

/** The hashes of entries, in the order asked; undefined where the ledger has no such entry. */
export async function findHashes(
  tx: Tx,
  places: readonly Place[],
): Promise<(Buffer | undefined)[]> {
  const values = [places.map((p) => p.walletId), places.map((p) => p.seq)];
  const rows = await tx.query<{ hash: Buffer | null }>(hashesSql, values);
  return rows.map(({ hash }) => hash ?? undefined);
}

const outboxSql = sql(
  'verify_outbox',
  `SELECT id, entry_refs FROM outbox WHERE id > $1 AND entry_refs IS NOT NULL
   ORDER BY id LIMIT $2`,
);

/** Rows of the outbox that name entries, behind an id. */
export const readOutboxRefs = (tx: Tx, afterId: bigint, limit: number) =>
  tx.query<{ id: bigint; entry_refs: string }>(outboxSql, [afterId, limit]);

const lettersSql = sql(
  'verify_pending_letters',
  `SELECT count(*) AS count FROM dead_letters WHERE state = 'pending'`,
);

/** How many messages wait among the dead letters. */
export async function countPending(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ count: bigint }>(lettersSql);
  return Number(row?.count ?? 0n);
}
