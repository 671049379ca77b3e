import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { userNotFound } from '../platform/access.ts';

/** The port to the auth service: which of these users exist. Rejects if it is out of reach. */
export type FindUsers = (userIds: readonly string[]) => Promise<ReadonlySet<string>>;

export type KnownUsers = {
  /** USER_NOT_FOUND, or AUTH_UNAVAILABLE where nobody can tell. */
  check(userId: string): Promise<Result<void>>;
  /** Those of these who do not exist. Rejects where nobody can tell. */
  findUnknown(userIds: readonly string[]): Promise<ReadonlySet<string>>;
};

const maxKnown = 1_000_000;
/** As many as the auth service answers at once. */
const maxAsked = 1_000;

/** Remembers who exists: users are never deleted, so a yes stays true; a no is asked again. */
export function createKnownUsers(findUsers: FindUsers): KnownUsers {
  const known = new Set<string>();

  const findUnknown = async (userIds: readonly string[]): Promise<ReadonlySet<string>> => {
    const asked = userIds.filter((id) => !known.has(id));
    const unknown = new Set<string>();
    for (let start = 0; start < asked.length; start += maxAsked) {
      const part = asked.slice(start, start + maxAsked);
      const found = await findUsers(part);
      if (known.size + found.size > maxKnown) known.clear();
      for (const id of part) (found.has(id) ? known : unknown).add(id);
    }
    return unknown;
  };

  return {
    findUnknown,
    check: async (userId) => {
      try {
        const unknown = await findUnknown([userId]);
        return unknown.has(userId) ? userNotFound(userId) : succeed(undefined);
      } catch {
        return refuse(
          'AUTH_UNAVAILABLE',
          'the auth service is out of reach: nothing was done, try again',
        );
      }
    },
  };
}
