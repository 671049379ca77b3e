import { sql, type Tx } from '../db/db.ts';

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

/**
 * A statement for each filter: with one for all of them the server could use no index of theirs. It
 * goes along the index of one filter, and looks at the rows for the others.
 */
const listSql = (name: string, condition: string) =>
  sql(
    name,
    `SELECT *, (extract(epoch FROM occurred_at) * 1000000)::bigint AS micros FROM audit_log
     WHERE ${condition} AND ($2 = '' OR actor = $2) AND ($3 = '' OR action = $3)
       AND occurred_at >= $4::timestamptz AND occurred_at < $5::timestamptz
       AND (occurred_at, id) < (timestamptz 'epoch' + $6::bigint * interval '1 microsecond', $7::uuid)
     ORDER BY occurred_at DESC, id DESC LIMIT $8`,
  );
const listAllSql = listSql('audit_list', "$1 = ''");
/** In this order: there are fewest lines of one target, and most of one action. */
const listOfSql = [
  // Targets may be longer than an index takes: it has their beginnings.
  ['target', listSql('audit_list_target', 'left(target, 64) = left($1, 64) AND target = $1')],
  ['actor', listSql('audit_list_actor', 'actor = $1')],
  ['action', listSql('audit_list_action', 'action = $1')],
] as const;

/** Later than any line: as far as the clock of the database goes. */
const lastMicros = '9000000000000000';
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** At most `limit` lines, the newest first, from after the one that `after` names. */
export async function listAuditEvents(
  tx: Tx,
  filter: AuditFilter,
  after: { readonly micros: string; readonly id: string } | undefined,
  limit: number,
): Promise<AuditEvent[]> {
  const [name, statement] = listOfSql.find(([of]) => filter[of] !== '') ?? [undefined, listAllSql];
  const rows = await tx.query<Row>(statement, [
    name === undefined ? '' : filter[name],
    filter.actor,
    filter.action,
    toText(filter.fromMs) ?? '-infinity',
    toText(filter.toMs) ?? 'infinity',
    after?.micros ?? lastMicros,
    after?.id ?? lastId,
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
