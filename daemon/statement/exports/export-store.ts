import type { IdRange } from '../../../core/ids.ts';
import type { Role } from '../../../core/roles.ts';
import type { ExportFormat, ExportLocale } from '../../../core/statement-format/index.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { Export, ExportOrder, ExportStatus, MailState } from './export-domain.ts';

export type ExportRow = {
  id: string;
  requested_by: string;
  requester_role: string;
  idempotency_key: string;
  request_digest: Buffer;
  user_id: string;
  wallet_id: string;
  currency: string;
  range_from: number;
  range_to: number;
  is_end_given: boolean;
  timezone: string;
  locale: string;
  format: string;
  has_byte_order_mark: boolean;
  has_holds: boolean;
  status: ExportStatus;
  through_seq: bigint | null;
  row_count: bigint;
  rows_done: bigint;
  byte_count: bigint | null;
  sha256: Buffer | null;
  attempt: number;
  failure: string | null;
  created_at: number;
  finished_at: number | null;
  expires_at: number | null;
  mail_state: MailState;
  mail_attempt: number;
  mail_failure: string | null;
};

const lockRequesterSql = sql(
  'export_requester_lock',
  `INSERT INTO export_requesters (user_id) VALUES ($1)
   ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id`,
);

/** Lets one export of a requester be created at a time. */
export async function lockRequester(tx: Tx, userId: string): Promise<void> {
  await tx.execute(lockRequesterSql, [userId]);
}

const countSql = sql(
  'export_count_unfinished',
  `SELECT count(*) AS count FROM exports
   WHERE requested_by = $1 AND status IN ('queued', 'running')`,
);

/** How many exports of a requester are not finished. */
export async function countUnfinished(tx: Tx, userId: string): Promise<number> {
  const [row] = await tx.query<{ count: bigint }>(countSql, [userId]);
  return Number(row?.count ?? 0n);
}

const insertSql = sql(
  'export_insert',
  `INSERT INTO exports (id, requested_by, requester_role, idempotency_key, request_digest, user_id,
     wallet_id, currency, range_from, range_to, is_end_given, timezone, locale, format,
     has_byte_order_mark, through_seq, mail_state, has_holds)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
   RETURNING *`,
);

/** Adds an export, queued. */
export async function insertExport(tx: Tx, order: ExportOrder): Promise<Export> {
  const { range } = order;
  const [row] = await tx.query<ExportRow>(insertSql, [
    order.id,
    order.requestedBy,
    order.requesterRole,
    order.idempotencyKey,
    order.requestDigest,
    order.userId,
    order.walletId,
    order.currency,
    new Date(range.fromMs).toISOString(),
    new Date(range.toMs).toISOString(),
    order.isEndGiven,
    range.timezone,
    order.locale,
    order.format,
    order.hasByteOrderMark,
    order.throughSeq,
    order.mailState,
    order.hasHolds,
  ]);
  if (!row) throw new Error('the export was not inserted');
  return toExport(row);
}

const findSql = sql('export_find', 'SELECT * FROM exports WHERE id = $1');

export async function findExport(tx: Tx, id: string): Promise<Export | undefined> {
  const [row] = await tx.query<ExportRow>(findSql, [id]);
  return row && toExport(row);
}

const findLikeSql = sql(
  'export_find_like',
  `SELECT * FROM exports WHERE requested_by = $1 AND request_digest = $2
   ORDER BY created_at DESC LIMIT 1`,
);

/** A requester's last export that was asked for in the same words. */
export async function findExportLike(
  tx: Tx,
  requestedBy: string,
  requestDigest: Buffer,
): Promise<Export | undefined> {
  const [row] = await tx.query<ExportRow>(findLikeSql, [requestedBy, requestDigest]);
  return row && toExport(row);
}

const existingSql = sql('export_existing', 'SELECT id FROM exports WHERE id = ANY($1::uuid[])');

/** Those of these ids that are exports. */
export async function findExisting(tx: Tx, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: string }>(existingSql, [ids]);
  return new Set(rows.map(({ id }) => id));
}

// Two statements: with one, the plan that a connection keeps would search the exports of all users
// for those of one user.
const pageText = (ofWhom: string, source = 'exports'): string => `SELECT * FROM ${source}
   WHERE ${ofWhom} AND ($2::uuid IS NULL OR wallet_id = $2) AND (created_at, id) < ($3, $4)
   ORDER BY created_at DESC, id DESC LIMIT $5`;
const listSql = sql('export_list', pageText('$1::uuid IS NULL'));
const listOfUserSql = sql('export_list_of_user', pageText('user_id = $1::uuid'));
/** Few exports, by the index on ids, and then those of the user. */
const listByPrefixSql = sql(
  'export_list_prefix',
  pageText(
    '($1::uuid IS NULL OR user_id = $1)',
    '(SELECT * FROM exports WHERE id BETWEEN $6 AND $7 OFFSET 0) AS found',
  ),
);

/**
 * Newest first, older than `before`; of one user's wallets, or of one wallet, where these are
 * given.
 */
export async function listExports(
  tx: Tx,
  filter: {
    readonly userId: string | undefined;
    readonly walletId: string | undefined;
    readonly ids: IdRange | undefined;
  },
  before: { readonly createdAtMs: number; readonly id: string },
  limit: number,
): Promise<Export[]> {
  const time = new Date(before.createdAtMs).toISOString();
  const values = [filter.userId, filter.walletId, time, before.id, limit];
  if (filter.ids) {
    const { first, last } = filter.ids;
    return (await tx.query<ExportRow>(listByPrefixSql, [...values, first, last])).map(toExport);
  }
  const statement = filter.userId === undefined ? listSql : listOfUserSql;
  return (await tx.query<ExportRow>(statement, values)).map(toExport);
}

export function toExport(row: ExportRow): Export {
  return {
    id: row.id,
    requestedBy: row.requested_by,
    requesterRole: row.requester_role as Role,
    idempotencyKey: row.idempotency_key,
    requestDigest: row.request_digest,
    userId: row.user_id,
    walletId: row.wallet_id,
    currency: row.currency,
    range: { fromMs: row.range_from, toMs: row.range_to, timezone: row.timezone },
    isEndGiven: row.is_end_given,
    locale: row.locale as ExportLocale,
    format: row.format as ExportFormat,
    hasByteOrderMark: row.has_byte_order_mark,
    hasHolds: row.has_holds,
    status: row.status,
    throughSeq: row.through_seq ?? undefined,
    rowCount: row.row_count,
    rowsDone: row.rows_done,
    byteCount: row.byte_count ?? undefined,
    sha256: row.sha256 ?? undefined,
    attempt: row.attempt,
    failure: row.failure ?? undefined,
    createdAtMs: row.created_at,
    finishedAtMs: row.finished_at ?? undefined,
    expiresAtMs: row.expires_at ?? undefined,
    mailState: row.mail_state,
    mailFailure: row.mail_failure ?? undefined,
  };
}
