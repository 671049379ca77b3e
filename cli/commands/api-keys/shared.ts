import { AuthServiceService, type ApiKey } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';

const pageSize = 100;

/** One of the caller's own API keys; undefined where none of them has this id. */
export async function findOwnKey(
  { caller }: Pick<Context, 'caller'>,
  id: string,
): Promise<Outcome<ApiKey | undefined>> {
  let pageToken = '';
  do {
    const request = { ownerId: '', pageSize, pageToken };
    const listed = await caller.call(AuthServiceService.listApiKeys, request, 'read');
    if (!listed.ok) return listed;
    const found = listed.value.apiKeys.find((key) => key.id === id);
    if (found) return succeed(found);
    pageToken = listed.value.nextPageToken;
  } while (pageToken !== '');
  return succeed(undefined);
}
