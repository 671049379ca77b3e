import { sql, type Tx } from './db.ts';

/** A line of the audit log as it is kept. */
export type AuditEvent = {
  readonly id: string;
  readonly occurredAtMs: number;
  /** The same in microseconds, as exactly as it is kept: for the cursor of pages. */
  readonly occurredAtMicros: bigint;
  readonly actor: string;
  readonly actorRole: string;
  readonly action: string;
  readonly target: string;
  readonly result: string;
  readonly requestId: string;
  readonly details: Readonly<Record<string, string>>;
};

/** Which lines; an empty text is no condition. The times are half-open: [from, to). */
export type AuditFilter = {
  readonly actor: string;
  readonly target: string;
  readonly action: string;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
};

type Row = {
  id: string;
  occurred_at: number;
  micros: bigint;
  actor: string;
  actor_role: string;
  action: string;
  target: string;
  result: string;
  request_id: string;
  details: Record<string, string>;
};

const listSql = sql(
  'audit_list',
  `SELECT *, (extract(epoch FROM occurred_at) * 1000000)::bigint AS micros FROM audit_log
   WHERE ($1 = '' OR actor = $1) AND ($2 = '' OR target = $2) AND ($3 = '' OR action = $3)
     AND occurred_at >= $4::timestamptz AND occurred_at < $5::timestamptz
     AND ($6::bigint IS NULL OR
       (occurred_at, id) < (timestamptz 'epoch' + $6 * interval '1 microsecond', $7::uuid))
   ORDER BY occurred_at DESC, id DESC LIMIT $8`,
);

/** At most `limit` lines, the newest first, from after the one that `after` names. */
export async function listAuditEvents(
  tx: Tx,
  filter: AuditFilter,
  after: { readonly micros: string; readonly id: string } | undefined,
  limit: number,
): Promise<AuditEvent[]> {
  const rows = await tx.query<Row>(listSql, [
    filter.actor,
    filter.target,
    filter.action,
    toText(filter.fromMs) ?? '-infinity',
    toText(filter.toMs) ?? 'infinity',
    after?.micros ?? null,
    after?.id ?? null,
    limit,
  ]);
  return rows.map((row) => ({
    id: row.id,
    occurredAtMs: row.occurred_at,
    occurredAtMicros: row.micros,
    actor: row.actor,
    actorRole: row.actor_role,
    action: row.action,
    target: row.target,
    result: row.result,
    requestId: row.request_id,
    details: row.details,
  }));
}

const toText = (timeMs: number | undefined): string | undefined =>
  timeMs === undefined ? undefined : new Date(timeMs).toISOString();
