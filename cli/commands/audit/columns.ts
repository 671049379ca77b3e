import type { AuditEvent } from '../../../protos/gen/digitalwallet/common/v1/audit.ts';
import type { AuditService } from './cursor.ts';
import { emailColumn, textColumn, timeColumn } from '../../output/columns.ts';
import { toJsonText } from '../../terminal/plain.ts';
import type { Column } from '../../output/print.ts';

/** A line of a service's audit log, with the service's name. */
export type AuditRow = {
  readonly service: AuditService;
  readonly event: AuditEvent;
  /** Of the users that actor and target name, where the caller may know them. */
  readonly actorEmail?: string | undefined;
  readonly targetEmail?: string | undefined;
};

/** docs/cli.md, "JSON": the shape of an audit event. */
export function toAuditJson({ service, event, actorEmail, targetEmail }: AuditRow): object {
  return {
    id: event.id,
    service,
    occurredAt: event.occurredAt?.toISOString(),
    actor: event.actor,
    actorEmail,
    actorRole: nonEmpty(event.actorRole),
    action: event.action,
    target: nonEmpty(event.target),
    targetEmail,
    result: event.result,
    requestId: nonEmpty(event.requestId),
    details: event.details,
  };
}

/** The columns of audit events. Times in tables are of `timezone`. */
export function auditColumns(timezone: string): readonly Column<AuditRow>[] {
  return [
    timeColumn('occurred_at', 'TIME', timezone, ({ event }) => event.occurredAt, {
      isKey: true,
    }),
    textColumn('service', 'SERVICE', ({ service }) => service),
    textColumn('action', 'ACTION', ({ event }) => event.action, { isKey: true }),
    textColumn('result', 'RESULT', ({ event }) => event.result, { priority: 5 }),
    textColumn('actor', 'ACTOR', ({ event }) => event.actor, { isId: true, priority: 4 }),
    emailColumn('actor_email', 'ACTOR EMAIL', ({ actorEmail }) => actorEmail, { priority: 3 }),
    textColumn('actor_role', 'AS', ({ event }) => event.actorRole),
    textColumn('target', 'TARGET', ({ event }) => event.target, { isId: true }),
    emailColumn('target_email', 'TARGET EMAIL', ({ targetEmail }) => targetEmail),
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
