import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { userNotFound } from '../platform/access.ts';

/** The port to the auth service: which of these users exist. Rejects if it is out of reach. */
export type FindUsers = (userIds: readonly string[]) => Promise<ReadonlySet<string>>;

export type KnownUsers = {
  /** USER_NOT_FOUND, or AUTH_UNAVAILABLE where nobody can tell. */
  check(userId: string): Promise<Result<void>>;
};

const maxKnown = 1_000_000;

/** Remembers who exists: users are never deleted, so a yes stays true; a no is asked again. */
export function createKnownUsers(findUsers: FindUsers): KnownUsers {
  const known = new Set<string>();
  return {
    check: async (userId) => {
      if (known.has(userId)) return succeed(undefined);
      try {
        if (!(await findUsers([userId])).has(userId)) return userNotFound(userId);
      } catch {
        return refuse(
          'AUTH_UNAVAILABLE',
          'the auth service is out of reach: nothing was done, try again',
        );
      }
      if (known.size >= maxKnown) known.clear();
      known.add(userId);
      return succeed(undefined);
    },
  };
}
