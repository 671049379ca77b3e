import { sql, type Tx } from '../db/db.ts';
import {
  rowsOfArrays,
  toInt2Array,
  toJsonArray,
  toTextArray,
  toUuidArray,
} from '../db/sql-arrays.ts';
import { stripUnstorable } from '../db/storable.ts';
import { apiKeyOf, describeActor, storableDetails, type AuditEntry } from './audit.ts';
import { packLines } from './events.ts';

/**
 * Lines that are one row: two or more of one actor, with the same action and result, targets that
 * are UUIDs, and details of the same names.
 */
export type AuditPack = {
  /** The row's id. Lines are given once: a second row of this id is an error. */
  readonly id: string;
  readonly entries: readonly Pick<AuditEntry, 'actor' | 'line'>[];
};

const rowTypes = {
  id: 'uuid',
  actor: 'text',
  actor_role: 'text',
  action: 'text',
  target: 'text',
  result: 'text',
  request_id: 'text',
  details: 'json',
  lines: 'json',
  line_count: 'smallint',
};
const rowColumns = Object.keys(rowTypes).join(', ');

const packSql = sql(
  'audit_append_packs',
  `WITH packed AS (
     INSERT INTO audit_log (${rowColumns}) ${rowsOfArrays(rowTypes)} RETURNING id, occurred_at)
   INSERT INTO audit_targets (target, occurred_at, audit_id, line_count)
   SELECT t.target, packed.occurred_at, t.audit_id, t.line_count
   FROM (SELECT unnest($11::uuid[]) AS target, unnest($12::uuid[]) AS audit_id,
     unnest($13::smallint[]) AS line_count) AS t
   JOIN packed ON packed.id = t.audit_id`,
);

/** Appends packed lines in the caller's transaction, with the targets that they are found by. */
export async function appendPacks(tx: Tx, packs: readonly AuditPack[]): Promise<void> {
  if (packs.length === 0) return;
  const rows = packs.map(toRow);
  const targets = packs.flatMap(countTargets);
  await tx.execute(packSql, [
    toUuidArray(rows, ({ id }) => id),
    toTextArray(rows, ({ actor }) => actor.id),
    toTextArray(rows, ({ actor }) => actor.role),
    toTextArray(rows, ({ action }) => action),
    toTextArray(rows, () => ''),
    toTextArray(rows, ({ result }) => result),
    toTextArray(rows, () => ''),
    toJsonArray(rows, ({ details }) => details),
    toJsonArray(rows, ({ lines }) => lines),
    toInt2Array(rows, ({ count }) => count),
    toUuidArray(targets, ({ target }) => target),
    toUuidArray(targets, ({ rowId }) => rowId),
    toInt2Array(targets, ({ count }) => count),
  ]);
}

function toRow({ id, entries }: AuditPack) {
  const [first] = entries;
  if (!first) throw new Error('a packed row of the audit log has no line');
  const { action, result } = first.line;
  const lines = entries.map(({ actor, line }) => ({
    target: line.target,
    requestId: stripUnstorable(actor.requestId),
    details: storableDetails(line),
  }));
  return {
    id,
    actor: describeActor(first.actor.principal),
    action,
    result,
    details: JSON.stringify(apiKeyOf(first.actor.principal)),
    lines: JSON.stringify(packLines(lines)),
    count: entries.length,
  };
}

function countTargets({ id, entries }: AuditPack) {
  const counts = new Map<string, number>();
  for (const { line } of entries) counts.set(line.target, (counts.get(line.target) ?? 0) + 1);
  return [...counts].map(([target, count]) => ({ target, rowId: id, count }));
}
