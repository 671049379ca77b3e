import type { Rejection } from '../../../core/reasons.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { findSides } from '../store/reads.ts';

/**
 * A customer who was refused a transaction or hold as absent: if it is another's, that is a
 * denial. Staff may see every transaction.
 */
export function reportDenial(
  { db, trail }: { readonly db: Db; readonly trail: Pick<AuditTrail, 'recordForeign'> },
  context: CallContext,
  method: string,
  rejection: Rejection,
): void {
  const id = findAbsentId(rejection);
  const { principal } = context;
  if (id === undefined || rejection.isDenial) return;
  if (principal.kind !== 'user' || principal.role !== 'customer') return;
  trail.recordForeign(context, method, rejection, async () => {
    const sides = await db.read((tx) => findSides(tx, id, undefined));
    return sides.length > 0 && sides.every(({ wallet }) => wallet.userId !== principal.userId);
  });
}

function findAbsentId({ reason, metadata }: Rejection): string | undefined {
  if (reason === 'TRANSACTION_NOT_FOUND') return metadata['transactionId'];
  if (reason === 'HOLD_NOT_FOUND') return metadata['holdId'] ?? metadata['parentId'];
  return reason === 'PARENT_NOT_FOUND' ? metadata['parentId'] : undefined;
}
