import { isUuid } from '../../../core/ids.ts';
import { sql, type Tx } from '../db/db.ts';
import { toEvents, type AuditEvent, type AuditRow } from './events.ts';

/** Which lines; an empty text is no condition. The times are half-open: [from, to). */
export type AuditFilter = {
  readonly actor: string;
  readonly target: string;
  readonly action: string;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
};

/** The line that the page before ended with: its row, and its place in it. */
export type AuditCursor = { readonly micros: string; readonly id: string; readonly place: number };

/** So many rows are enough: each has a line, but for the one that the page before ended in. */
const inOrder = (time: string, id: string) => `
     AND ${time} >= $4::timestamptz AND ${time} < $5::timestamptz
     AND (${time}, ${id}) <= (timestamptz 'epoch' + $6::bigint * interval '1 microsecond', $7::uuid)
   ORDER BY ${time} DESC, ${id} DESC LIMIT $8::int + 1`;
const ofActorAndAction = `($2 = '' OR actor = $2) AND ($3 = '' OR action = $3)`;
const columns = 'id, occurred_at, actor, actor_role, action, target, result, request_id, details';

const findSql = (condition: string): string =>
  `SELECT ${columns}, line_count, lines FROM audit_log
   WHERE ${condition} AND ${ofActorAndAction}${inOrder('occurred_at', 'id')}`;

/** As many of the rows that were found as the page has lines; they may have more than it. */
const toPage = (found: string, lines = 'lines'): string =>
  `SELECT ${columns}, ${lines} AS lines,
     (extract(epoch FROM occurred_at) * 1000000)::bigint AS micros
   FROM (SELECT *, sum(CASE WHEN id = $7 THEN 0 ELSE line_count END) OVER (
       ORDER BY occurred_at DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
     ) AS lines_before FROM (${found}) AS found) AS counted
   WHERE coalesce(lines_before, 0) < $8::int
   ORDER BY occurred_at DESC, id DESC`;

/** Packed rows of a target are looked up one by one: that is spelt out, as for `entry_by_id`. */
const findOfTarget = `
  (${findSql('left(target, 64) = left($1, 64) AND target = $1')})
  UNION ALL
  (SELECT t.audit_id, t.occurred_at, actor, actor_role, action, a.target, result, request_id,
     details, t.line_count, lines
   FROM audit_targets t
   CROSS JOIN LATERAL (SELECT * FROM audit_log WHERE id = t.audit_id OFFSET 0) a
   WHERE t.target = $9::uuid AND ${ofActorAndAction}${inOrder('t.occurred_at', 't.audit_id')})`;

/** The heading, and of the lines those of the target; the others leave their places. */
const linesOfTarget = `(
  SELECT json_agg(CASE WHEN n = 1 OR line->>0 = $1 THEN line END ORDER BY n)
  FROM json_array_elements(lines) WITH ORDINALITY AS l(line, n))`;

const listAllSql = sql('audit_list', toPage(findSql("$1 = ''")));
/**
 * A statement for each filter: with one for all of them the server could use no index of theirs. It
 * goes along the index of one filter, and looks at the rows for the others. In this order: there
 * are fewest lines of one target, and most of one action.
 */
const listOfSql = [
  // Targets may be longer than an index takes: it has their beginnings.
  ['target', sql('audit_list_target', toPage(findOfTarget, linesOfTarget))],
  ['actor', sql('audit_list_actor', toPage(findSql('actor = $1')))],
  ['action', sql('audit_list_action', toPage(findSql('action = $1')))],
] as const;

/** Later than any line: as far as the clock of the database goes. */
const start: AuditCursor = {
  micros: '9000000000000000',
  id: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  place: 0,
};

/** At most `limit` lines, the newest first, from after the one that `after` names. */
export async function listAuditEvents(
  tx: Tx,
  filter: AuditFilter,
  after: AuditCursor = start,
  limit: number,
): Promise<AuditEvent[]> {
  const [name, statement] = listOfSql.find(([of]) => filter[of] !== '') ?? [undefined, listAllSql];
  const rows = await tx.query<AuditRow>(statement, [
    name === undefined ? '' : filter[name],
    filter.actor,
    filter.action,
    toText(filter.fromMs) ?? '-infinity',
    toText(filter.toMs) ?? 'infinity',
    after.micros,
    after.id,
    limit,
    ...(name === 'target' ? [isUuid(filter.target) ? filter.target : null] : []),
  ]);
  const events = rows.flatMap(toEvents);
  const isAfter = ({ rowId, place }: AuditEvent) => rowId !== after.id || place < after.place;
  return events.filter(isAfter).slice(0, limit);
}

const toText = (timeMs: number | undefined): string | undefined =>
  timeMs === undefined ? undefined : new Date(timeMs).toISOString();
