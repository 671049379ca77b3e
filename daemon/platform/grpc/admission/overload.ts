import { refuse, type Rejection } from '../../../../core/reasons.ts';
import type { Access, Policy } from '../../access/access.ts';
import type { AdaptiveLimit } from './adaptive-limit.ts';
import type { Refusal } from './answer-in-time.ts';
import type { Excess } from '../ingress/stream-windows.ts';
import { overloaded, type createUserCalls } from './user-calls.ts';

export type Overload = {
  /** A refusal before a call is read: a limit is reached, for any caller or for its user. */
  find(
    entry: { readonly policy: Policy; readonly limit: AdaptiveLimit | undefined },
    authorization: string | undefined,
  ): Refusal | undefined;
  /** For whose calls in flight a call was refused; undefined for every other rejection. */
  findExcess(rejection: Rejection): Excess | undefined;
};

export function createOverload(options: {
  readonly access: Pick<Access, 'recall' | 'isService'>;
  readonly ofUsers: Pick<
    ReturnType<typeof createUserCalls>,
    'isAnyFull' | 'isFull' | 'tooManyOfUser'
  >;
  /** As many calls of all users are in flight as may be. */
  readonly isFull: () => boolean;
}): Overload {
  const { access, ofUsers, isFull } = options;
  const { tooManyOfUser } = ofUsers;
  return {
    find: ({ limit, policy }, authorization) => {
      if (limit?.isFull()) return overloaded;
      if (isFull() && !access.isService(authorization)) return tooManyInFlight;
      // Who calls is looked up only while that can refuse the call.
      if (!ofUsers.isAnyFull()) return undefined;
      const user = access.recall(authorization, policy);
      return user && ofUsers.isFull(user.userId) ? tooManyOfUser : undefined;
    },
    findExcess: (rejection) => {
      if (rejection === tooManyOfUser.rejection) return 'user';
      const isOfAll = rejection === overloaded.rejection || rejection === tooManyInFlight.rejection;
      return isOfAll ? 'all' : undefined;
    },
  };
}

export const tooManyInFlight = refuse(
  'OVERLOADED',
  'the server has too many calls in flight: nothing was done, try again shortly',
);
