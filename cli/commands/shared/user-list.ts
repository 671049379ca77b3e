import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { resolveUser } from '../users/actor.ts';
import { checkLimit, type PageOptions } from './paging.ts';

/** The options of a list of things that belong to a user. */
export type UserListOptions = PageOptions & { readonly user?: string };

type UserList = {
  /** Empty: the caller's own or, where the server says so, those of all users. */
  readonly userId: string;
  readonly limit: number;
  readonly pageToken: string | undefined;
};

/** Checks `--limit` and `--all` first, without a request; then finds the user. */
export async function readUserList(
  context: Pick<Context, 'caller' | 'credentials'>,
  options: UserListOptions,
): Promise<Outcome<UserList>> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  return succeed({ userId, limit: limit.value, pageToken: options.pageToken });
}
