import { isUuid } from '../../../core/ids.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { isApiKey, readSubject } from '../../credentials/tokens.ts';
import { nameRole } from '../../../lib/json/names.ts';
import { isStaff } from '../money/confirm.ts';
import { identifyActor } from './actor.ts';

/**
 * The e-mail addresses of these users, as far as the caller may look them up: staff with the scope
 * `users:read`. Texts that are not ids of users have none.
 */
export type EmailFinder = (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>;

type Asker = Pick<Context, 'caller' | 'credentials'>;

/** Of so many users the addresses are kept, so that each page asks for new ones only. */
const maxKept = 10_000;

/** Looks addresses up for a list, those of a page in one request; a failure leaves them out. */
export function createEmailFinder(context: Asker): EmailFinder {
  const emails = new Map<string, string>();
  const asked = new Set<string>();
  let isAllowed: boolean | undefined;
  return async (ids) => {
    if (asked.size > maxKept) {
      emails.clear();
      asked.clear();
    }
    const wanted = [...new Set(ids)].filter((id) => isUuid(id) && !asked.has(id));
    if (wanted.length === 0 || isAllowed === false) return emails;
    // A list of what is one's own needs no addresses, and no question whether one may have them.
    if (isAllowed === undefined && (await isOnlyOwn(context, wanted))) return emails;
    isAllowed ??= await mayLookUp(context);
    if (!isAllowed) return emails;
    const request = { userIds: wanted, emails: [] };
    const resolved = await context.caller.call(AuthServiceService.resolveUsers, request, 'read');
    if (!resolved.ok) {
      isAllowed = false;
      return emails;
    }
    for (const id of wanted) asked.add(id);
    for (const { id, email } of resolved.value.users) emails.set(id, email);
    return emails;
  };
}

async function isOnlyOwn({ credentials }: Asker, ids: readonly string[]): Promise<boolean> {
  const held = await credentials.get();
  if (!held.ok) return false;
  const { record, token } = held.value;
  const own = record?.userId ?? readSubject(token);
  return ids.every((id) => id === own);
}

/** Asked of the server where it is not known: a refused request would be on record as a denial. */
async function mayLookUp(context: Asker): Promise<boolean> {
  const credential = await context.credentials.get();
  if (!credential.ok) return false;
  const { token } = credential.value;
  if (isApiKey(token)) {
    const method = AuthServiceService.validateToken;
    const validated = await context.caller.call(method, { accessToken: token }, 'read');
    if (!validated.ok) return false;
    const { role, apiKey } = validated.value;
    return isStaff(nameRole(role)) && apiKey?.scopes.includes('users:read') === true;
  }
  const actor = await identifyActor(context);
  return actor.ok && isStaff(actor.value?.role);
}
