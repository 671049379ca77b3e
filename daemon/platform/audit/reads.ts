import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { AuditLine, AuditTrail } from './audit.ts';
import type { CallContext, UnaryHandler } from '../grpc/calls.ts';

/** What staff are shown of another: the line's result is `ok` unless it says otherwise. */
export type ReadLine = Omit<AuditLine, 'result'> & { readonly result?: string };

/**
 * Records that staff are about to be shown what is not theirs; `target` is the owner's user id.
 * Nothing to record for customers, for our own services, and for what is one's own.
 * DATABASE_UNAVAILABLE if there is no line: then nothing may be shown.
 */
export async function recordRead(
  trail: Pick<AuditTrail, 'record'>,
  context: Pick<CallContext, 'principal' | 'requestId'>,
  line: ReadLine,
): Promise<Result<void>> {
  const { principal } = context;
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  if (!isStaff || line.target === principal.userId) return succeed(undefined);
  try {
    await trail.record(context, { result: 'ok', ...line });
    return succeed(undefined);
  } catch {
    // The trail has logged why.
    return refuse(
      'DATABASE_UNAVAILABLE',
      'the audit log takes no line, and nothing is shown without one: try again',
    );
  }
}

/** A read whose answers are recorded before they are sent. `describe` names what was shown. */
export function auditRead<Req, Res>(
  trail: Pick<AuditTrail, 'record'>,
  handler: UnaryHandler<Req, Res>,
  describe: (request: Req, shown: Res) => ReadLine,
): UnaryHandler<Req, Res> {
  return async (request, context) => {
    const answer = await handler(request, context);
    if (!answer.ok) return answer;
    const recorded = await recordRead(trail, context, describe(request, answer.value));
    return recorded.ok ? answer : recorded;
  };
}
