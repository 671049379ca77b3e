import type { AuditEvent } from '../../../protos/gen/digitalwallet/common/v1/audit.ts';
import type { AuditService } from './cursor.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import { toJsonText } from '../../terminal/plain.ts';
import type { Column } from '../../output/print.ts';

/** A line of a service's audit log, with the service's name. */
export type AuditRow = { readonly service: AuditService; readonly event: AuditEvent };

/** docs/cli.md, "JSON": the shape of an audit event. */
export function toAuditJson({ service, event }: AuditRow): object {
  return {
    id: event.id,
    service,
    occurredAt: event.occurredAt?.toISOString(),
    actor: event.actor,
    actorRole: nonEmpty(event.actorRole),
    action: event.action,
    target: nonEmpty(event.target),
    result: event.result,
    requestId: nonEmpty(event.requestId),
    details: event.details,
  };
}

/** The columns of audit events. Times in tables are of `timezone`. */
export function auditColumns(timezone: string): readonly Column<AuditRow>[] {
  return [
    timeColumn('occurred_at', 'TIME', timezone, ({ event }) => event.occurredAt),
    textColumn('service', 'SERVICE', ({ service }) => service),
    textColumn('action', 'ACTION', ({ event }) => event.action),
    textColumn('result', 'RESULT', ({ event }) => event.result),
    textColumn('actor', 'ACTOR', ({ event }) => event.actor, { isId: true }),
    textColumn('actor_role', 'AS', ({ event }) => event.actorRole),
    textColumn('target', 'TARGET', ({ event }) => event.target, { isId: true }),
    textColumn('details', 'DETAILS', ({ event }) => formatDetails(event), { isFlexible: true }),
    { header: 'request_id', value: ({ event }) => event.requestId, isText: true },
    { header: 'id', value: ({ event }) => event.id },
  ];
}

function formatDetails({ details }: AuditEvent): string {
  return Object.keys(details).length === 0 ? '' : toJsonText(details);
}

/** The wire says "none" with an empty text. */
function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text;
}
