import { isUuid } from '../../../core/ids.ts';
import {
  entryColumns,
  idOffset,
  readSeq,
  readUuid,
  walletColumns,
  type ChildEntry,
} from '../../../core/ledger-check/index.ts';
import {
  copyBinary,
  createPages,
  type Pages,
  type PageSize,
} from '../../platform/db/copy-pages.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import { sourceCodes } from '../store/store.ts';

/** Wallets from one id to another, both included. */
export type IdSpan = { readonly first: string; readonly last: string };
/** Runs statements within one transaction. */
export type RunInTx = <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;

const sourceNames = Object.entries(sourceCodes)
  .map(([name, code]) => `WHEN ${code} THEN '${name}'`)
  .join(' ');
const sourceText = `CASE source ${sourceNames} ELSE 'source ' || source::text END`;
const columnTexts: Readonly<Record<string, string>> = { transaction_id: 'id', source: sourceText };
const entryText = entryColumns.map((name) => columnTexts[name] ?? name).join(', ');

function checkSpan({ first, last }: IdSpan): void {
  if (!isUuid(first) || !isUuid(last)) throw new Error('not the id of a wallet');
}

/** The entries of some wallets, in order of wallet and seq, as rows of `entryColumns`. */
export function openEntries(run: RunInTx, span: IdSpan, size: PageSize): Pages {
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
export function openWallets(run: RunInTx, span: IdSpan, size: PageSize): Pages {
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

export const usedAfter = 'coalesce(parent_used, 0) + greatest(abs(amount), abs(coalesce(held, 0)))';
const childrenOf = (place: string): string =>
  `FROM transactions WHERE wallet_id = asked.wallet_id AND parent_id = asked.id
     AND coalesce(parent_used, 0) ${place} asked.used`;

const parentsSql = sql(
  'verify_parents',
  // A lookup per undo, spelt out, for the reason that `entry_by_id` has.
  `SELECT asked.place::int AS place, p.seq, p.operation, p.amount, p.held, p.contra_account,
     p.metadata->>'dw.expiresAt' AS expires_at,
     b.seq AS before_seq, b.used_after AS before_used,
     (SELECT min(seq) ${childrenOf('=')}) AS same_seq
   FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
     WITH ORDINALITY AS asked(id, wallet_id, used, place)
   LEFT JOIN LATERAL (SELECT seq, operation, amount, held, contra_account, metadata
     FROM transactions
     WHERE id = asked.id AND wallet_id = asked.wallet_id OFFSET 0) p ON true
   LEFT JOIN LATERAL (SELECT seq, ${usedAfter} AS used_after ${childrenOf('<')}
     ORDER BY coalesce(parent_used, 0) DESC LIMIT 1) b ON true
   ORDER BY asked.place`,
);

export type ParentRow = {
  seq: bigint | null;
  operation: number | null;
  amount: bigint | null;
  held: bigint | null;
  contra_account: string | null;
  expires_at: string | null;
  before_seq: bigint | null;
  before_used: bigint | null;
  same_seq: bigint | null;
};

/** The parents of entries, in their order; nulls where there is none. */
export const findParents = (tx: Tx, children: readonly ChildEntry[]): Promise<ParentRow[]> =>
  tx.query<ParentRow>(parentsSql, [
    children.map((c) => c.parentId),
    children.map((c) => c.walletId),
    children.map((c) => c.parentUsedMinor),
  ]);

const sideColumns = `t.wallet_id, t.seq, t.id, t.operation, t.amount, t.contra_account, t.parent_id,
     coalesce(t.parent_used, 0) AS parent_used, w.user_id, w.currency`;
const isSide = `t.contra_account LIKE 'user:%' AND t.amount <> 0`;

export type SideRow = {
  wallet_id: string;
  seq: bigint;
  id: string;
  operation: number;
  amount: bigint;
  contra_account: string;
  parent_id: string | null;
  parent_used: bigint;
  user_id: string;
  currency: string;
};

const sidesSql = sql(
  'verify_sides',
  `SELECT ${sideColumns} FROM transactions t JOIN wallets w ON w.id = t.wallet_id
   WHERE (t.id, t.wallet_id) > ($1, $2) AND t.id <= $3 AND ${isSide}
   ORDER BY t.id, t.wallet_id LIMIT $4`,
);

/** Entries between users' wallets up to an id, behind an id and wallet, in order of both. */
export const readSides = (
  tx: Tx,
  after: { readonly id: string; readonly walletId: string },
  lastId: string,
  limit: number,
) => tx.query<SideRow>(sidesSql, [after.id, after.walletId, lastId, limit]);

const sidesOfSql = sql(
  'verify_sides_of',
  `SELECT t.* FROM unnest($1::uuid[]) AS asked(id)
   CROSS JOIN LATERAL (SELECT ${sideColumns}
     FROM transactions t JOIN wallets w ON w.id = t.wallet_id
     WHERE t.id = asked.id AND ${isSide} OFFSET 0) t
   ORDER BY t.id, t.wallet_id`,
);

/** All sides of these transactions between users' wallets, in order of id. */
export const findSides = (tx: Tx, ids: readonly string[]): Promise<SideRow[]> =>
  tx.query<SideRow>(sidesOfSql, [ids]);

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
