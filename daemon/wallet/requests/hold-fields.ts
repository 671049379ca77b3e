import { isUuid } from '../../../core/ids.ts';
import type { Operation } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { isStorableTime } from '../../../core/time/calendar.ts';
import type { CommandMore } from '../domain.ts';
import type { HoldDays } from './hold-days.ts';

/** What holds, and what uses them, need of a request. */
export type HoldRequest = {
  readonly userId: string;
  readonly operation: Operation;
  readonly parentId: string | undefined;
  readonly merchant: string | undefined;
  /** Who is paid, by a transfer or by captures of a hold, or is on the other side of the parent. */
  readonly otherUserId?: string | undefined;
  readonly via?: string | undefined;
  readonly isForced?: boolean | undefined;
  /** Of the atomic group that it is in; only a group has fees. */
  readonly groupId?: string | undefined;
  /** Of a hold: when it ends, or how long after its own time; neither: after the usual days. */
  readonly expiresAtMs?: number | undefined;
  readonly expiresInSeconds?: bigint | undefined;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest?: boolean | undefined;
};

export type HoldFields = Pick<HoldRequest, 'expiresAtMs' | 'expiresInSeconds' | 'keepsRest'>;

/** A field that must not be as it is, and why. */
export type FieldFault = readonly [field: string, problem: string];

const secondsPerDay = 86_400;

/**
 * What is wrong with the fields of this command that are about holds; undefined if nothing is. How
 * long a hold may last is a setting: whether it lasts too long is decided where a hold that was
 * placed before is known.
 */
export function findHoldFault(request: HoldRequest): FieldFault | undefined {
  const { operation, expiresAtMs, expiresInSeconds, keepsRest } = request;
  if (keepsRest === true && operation !== 'capture') {
    return ['keep_rest', 'must be absent: only a capture keeps the rest of a hold'];
  }
  if (operation === 'hold') return findPayeeFault(request) ?? findEndFault(request);
  const onlyHolds = 'must be absent: only a hold expires';
  if (expiresAtMs !== undefined) return ['expires_at', onlyHolds];
  return expiresInSeconds === undefined ? undefined : ['expires_in_seconds', onlyHolds];
}

/** A capture pays one merchant, user or account outside. */
function findPayeeFault({ merchant, otherUserId, via }: HoldRequest): FieldFault | undefined {
  const one = 'must be absent: a hold is for a merchant, for a user or for an account outside';
  if (otherUserId !== undefined && merchant !== undefined) return ['to_user_id', one];
  return via !== undefined && (merchant ?? otherUserId) !== undefined ? ['via', one] : undefined;
}

function findEndFault({ expiresAtMs, expiresInSeconds }: HoldRequest): FieldFault | undefined {
  if (expiresAtMs !== undefined && !isStorableTime(expiresAtMs)) {
    return ['expires_at', 'must be a time in the years 1 to 9999'];
  }
  if (expiresInSeconds === undefined) return undefined;
  if (expiresAtMs !== undefined) {
    return ['expires_in_seconds', 'must be absent where expires_at is given'];
  }
  return expiresInSeconds < 1n ? ['expires_in_seconds', 'must be above 0'] : undefined;
}

/** What the command of a hold has. TRANSFER_TO_SELF where it is in favour of its own user. */
export function readHoldMore(
  { userId, otherUserId, via, isForced, groupId, ...end }: HoldRequest,
  { standard, longest }: HoldDays,
): Result<CommandMore> {
  if (otherUserId === userId) {
    const message = 'a hold in favour of a user is for another user';
    return refuse('TRANSFER_TO_SELF', message, { field: 'to_user_id' });
  }
  const { expiresAtMs, expiresInSeconds } = end;
  const seconds = expiresInSeconds ?? BigInt(standard * secondsPerDay);
  return succeed({
    ...(otherUserId === undefined ? {} : { payeeUserId: otherUserId }),
    ...(via === undefined ? {} : { via }),
    ...(isForced ? { isForced } : {}),
    ...(groupId === undefined ? {} : { groupId }),
    ...(expiresAtMs === undefined ? { expiresInMs: Number(seconds) * 1_000 } : { expiresAtMs }),
    longestMs: longest * secondsPerDay * 1_000,
  });
}

/** Whether a parent is named as it must be: by what undoes it, or uses it as a hold. */
export function findParentFault(
  { operation, parentId }: HoldRequest,
  needsParent: boolean,
): FieldFault | undefined {
  if (!needsParent) {
    return parentId === undefined
      ? undefined
      : ['parent_id', `must be absent: a ${operation} has no parent`];
  }
  if (parentId === undefined) {
    const what = operation === 'capture' || operation === 'release' ? 'hold' : 'transaction';
    const verb = what === 'hold' ? `${operation} uses` : `${operation} undoes`;
    return ['parent_id', `must name the ${what} that the ${verb}`];
  }
  return isUuid(parentId) ? undefined : ['parent_id', 'must be a UUID in lower case'];
}
