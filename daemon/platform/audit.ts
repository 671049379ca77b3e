import { randomUUID } from 'node:crypto';

import { sql, type Tx } from './db.ts';
import type { CallContext } from './grpc/server.ts';

/** One line of a service's audit log; who and when are added here. */
export type AuditLine = {
  readonly action: string;
  readonly target: string;
  /** `ok`, or the reason of the refusal. */
  readonly result: string;
  readonly details?: Readonly<Record<string, string>>;
};

const appendSql = sql(
  'audit_append',
  `INSERT INTO audit_log (id, actor, actor_role, action, target, result, request_id, details)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json)`,
);

/** Appends a line in the caller's transaction: no effect without its record. */
export async function appendAudit(tx: Tx, context: CallContext, line: AuditLine): Promise<void> {
  const { principal, requestId } = context;
  const [actor, role] =
    principal.kind === 'user' ? [principal.userId, principal.role] : [principal.kind, 'none'];
  const details = JSON.stringify(line.details ?? {});
  const values = [randomUUID(), actor, role, line.action, line.target, line.result, requestId];
  await tx.execute(appendSql, [...values, details]);
}
