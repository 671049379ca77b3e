import { quoteForShell } from '../../../core/shell-word.ts';
import { createHash } from 'node:crypto';

import { isUuid } from '../../../core/ids.ts';
import { AuthServiceService, type User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { Credential } from '../../credentials/session.ts';
import { isApiKey, readSubject } from '../../credentials/tokens.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { nameRole } from '../../../lib/json/names.ts';

/** Someone as far as is known; the e-mail address may not be. */
export type KnownUser = { readonly id: string; readonly email: string | undefined };
export type Actor = KnownUser & { readonly role: string | undefined };

type Asker = Pick<Context, 'caller' | 'credentials'>;

/**
 * Whose wallet `--user` means: undefined for the caller's own. An e-mail address is looked up by
 * the server; an id is taken as it is, unless `needsEmail`.
 */
export async function resolveUser(
  context: Asker,
  user: string | undefined,
  needsEmail: boolean,
): Promise<Outcome<KnownUser | undefined>> {
  if (user === undefined) return succeed(undefined);
  const id = user.toLowerCase();
  if (isUuid(id)) {
    if (!needsEmail) return succeed({ id, email: undefined });
    const found = await lookUp(context, { userIds: [id], emails: [] });
    // Not everyone may look users up; the server decides about the id all the same.
    return succeed(found.ok && found.value ? found.value : { id, email: undefined });
  }
  if (!user.includes('@')) {
    return failUsage(
      'user',
      `${JSON.stringify(user)} is neither an e-mail address nor a user's id`,
    );
  }
  const held = await context.credentials.get();
  if (!held.ok) return held;
  const { record } = held.value;
  if (record?.email?.toLowerCase() === user.toLowerCase())
    return succeed({ id: record.userId, email: record.email });
  const found = await lookUp(context, { userIds: [], emails: [user] });
  if (!found.ok) return found;
  if (found.value) return succeed(found.value);
  return {
    ok: false,
    failure: {
      reason: 'USER_NOT_FOUND',
      message: `no user has the e-mail address ${user}, or it is not verified`,
      exitCode: 5,
      field: 'user',
      hint: `check whether it is verified: wallet users list --email ${quoteForShell(user)}; an id always works: --user ID`,
    },
  };
}

/**
 * Who is calling: whose token the calls of this command send, by what is stored with it, or else by
 * asking the server with it.
 */
export async function identifyActor(context: Asker): Promise<Outcome<Actor | undefined>> {
  const held = await context.credentials.get();
  if (!held.ok) return held;
  const { record, token } = held.value;
  if (record) return succeed({ id: record.userId, email: record.email, role: record.role });
  // Not every API key may look its owner up.
  if (isApiKey(token)) return identifyKey(context, token);
  const got = await context.caller.call(AuthServiceService.getUser, { userId: '' }, 'read');
  if (!got.ok) return got;
  const { user } = got.value;
  return succeed(user && { id: user.id, email: user.email, role: nameRole(user.role) });
}

async function identifyKey({ caller }: Asker, accessToken: string): Promise<Outcome<Actor>> {
  const method = AuthServiceService.validateToken;
  const validated = await caller.call(method, { accessToken }, 'read');
  if (!validated.ok) return validated;
  const { userId, role } = validated.value;
  return succeed({ id: userId, email: undefined, role: nameRole(role) });
}

/**
 * Distinguishes the commands of callers, always in the same way and without a request: the
 * user's id; for an API key, which does not tell it, a hash of the key.
 */
export function nameActor({ record, token }: Pick<Credential, 'record' | 'token'>): string {
  if (record) return record.userId;
  return readSubject(token) ?? createHash('sha256').update(token).digest('hex');
}

async function lookUp(
  context: Asker,
  request: { userIds: string[]; emails: string[] },
): Promise<Outcome<KnownUser | undefined>> {
  const resolved = await context.caller.call(AuthServiceService.resolveUsers, request, 'read');
  if (!resolved.ok) return resolved;
  const user: User | undefined = resolved.value.users[0];
  return succeed(user && { id: user.id, email: user.email });
}
