import {
  AuthServiceService,
  type Session,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { resolveId, type Candidate } from '../shared/id-prefix.ts';
import { readAllPages } from '../shared/paging.ts';

/** A page of the sessions of a user; empty: the caller's. */
export const fetchSessions =
  ({ caller }: Pick<Context, 'caller'>, userId: string) =>
  async (pageSize: number, pageToken: string) => {
    const method = AuthServiceService.listSessions;
    const listed = await caller.call(method, { userId, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { sessions, nextPageToken } = listed.value;
    return succeed({ rows: sessions, nextPageToken });
  };

/** The session that a text names: by its whole id, or by its beginning among those of a user. */
export function resolveSessionId(
  context: Pick<Context, 'caller'>,
  text: string,
  userId: string,
): Promise<Outcome<string>> {
  return resolveId(text, {
    ...{ field: 'session_id', noun: 'session', notFound: 'SESSION_NOT_FOUND' },
    list: 'wallet sessions list',
    find: async (prefix) => {
      const sessions = await readAllPages(fetchSessions(context, userId));
      if (!sessions.ok) return sessions;
      return succeed(sessions.value.filter(({ id }) => id.startsWith(prefix)).map(toCandidate));
    },
  });
}

function toCandidate({ id, client, createdAt }: Session): Candidate {
  const since = createdAt?.toISOString() ?? 'an unknown time';
  return { id, description: `${client === '' ? 'no name' : client}, since ${since}` };
}
