import type { Operation } from '../../../core/operations.ts';
import type { Reason } from '../../../core/reasons.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { HoldState, type Hold } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { CliFailure } from '../../outcome.ts';
import { toCliFailure, toLostFailure } from '../../rpc/errors.ts';

/** A capture or a release; no amount is all that is left, no currency the hold's. */
type HoldUse = {
  readonly operation: Operation;
  readonly amountMinor: bigint | undefined;
  readonly currency: string;
};

/**
 * Why the server will refuse a new capture or release of a hold as it was read: HOLD_EXPIRED,
 * HOLD_CLOSED or CAPTURE_EXCEEDS_HOLD. Undefined where it may be done.
 */
export function findHoldRefusal(hold: Hold, use: HoldUse): CliFailure | undefined {
  const { id, state, leftMinor, amountMinor, currency, expiresAt } = hold;
  // Of a hold in another currency the server says what is wrong.
  if (use.currency !== '' && use.currency !== currency) return undefined;
  if (state === HoldState.EXPIRED) {
    const when = expiresAt === undefined ? '' : ` at ${expiresAt.toISOString()}`;
    return refuse('HOLD_EXPIRED', 'parent_id', `hold ${id} expired${when}: place another one`);
  }
  if (state === HoldState.CAPTURED || state === HoldState.RELEASED) {
    const message = `nothing is left of hold ${id}: it was captured or released`;
    return refuse('HOLD_CLOSED', 'parent_id', message);
  }
  if (use.amountMinor === undefined || use.amountMinor <= leftMinor) return undefined;
  const left = formatMoney(leftMinor, currency);
  const message =
    `${left} of ${formatMoney(amountMinor, currency)} ${currency} are left to ${use.operation}: ` +
    'give that amount at most, or none for all of it';
  return refuse('CAPTURE_EXCEEDS_HOLD', 'amount', message);
}

const refuse = (reason: Reason, field: string, message: string): CliFailure =>
  toCliFailure(
    { ...toLostFailure(message), reason, certainty: 'refused', metadata: { field } },
    'read',
  );
