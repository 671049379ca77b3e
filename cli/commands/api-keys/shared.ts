import { AuthServiceService, type ApiKey } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { resolveId, type Candidate } from '../shared/id-prefix.ts';
import { readAllPages } from '../shared/paging.ts';

type Asker = Pick<Context, 'caller'>;

/** A page of the API keys of a user; empty: the caller's. */
export const fetchApiKeys =
  ({ caller }: Asker, ownerId: string) =>
  async (pageSize: number, pageToken: string) => {
    const method = AuthServiceService.listApiKeys;
    const listed = await caller.call(method, { ownerId, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { apiKeys, nextPageToken } = listed.value;
    return succeed({ rows: apiKeys, nextPageToken });
  };

/** One of the caller's own API keys; undefined where none of them has this id. */
export async function findOwnKey(context: Asker, id: string): Promise<Outcome<ApiKey | undefined>> {
  const keys = await readAllPages(fetchApiKeys(context, ''));
  return keys.ok ? succeed(keys.value.find((key) => key.id === id)) : keys;
}

/** The API key that a text names: by its whole id, or by its beginning among those of a user. */
export function resolveApiKeyId(
  context: Asker,
  text: string,
  ownerId: string,
): Promise<Outcome<string>> {
  return resolveId(text, {
    ...{ field: 'api_key_id', noun: 'API key', notFound: 'API_KEY_NOT_FOUND' },
    list: 'wallet api-keys list',
    find: async (prefix) => {
      const keys = await readAllPages(fetchApiKeys(context, ownerId));
      if (!keys.ok) return keys;
      return succeed(keys.value.filter(({ id }) => id.startsWith(prefix)).map(toCandidate));
    },
  });
}

const toCandidate = ({ id, name, prefix }: ApiKey): Candidate => ({
  id,
  description: `${name}, ${prefix}…`,
});
