import { sql, type Tx } from '../../platform/db/db.ts';
import type { Revocation } from '../../platform/access/revocations.ts';
import type { User } from '../domain.ts';
import { dropCodes } from '../mails/codes.ts';
import { countValidKeys, revokeKeys } from '../api-keys/store.ts';
import { endSessions, lockSessions } from '../sessions/revoke.ts';
import { revokeUserTokens } from '../users/store.ts';
import { dropEmailChange } from './store.ts';

export type EndedCredentials = {
  readonly sessions: number;
  readonly apiKeys: number;
  /** API keys that go on. */
  readonly keptApiKeys: number;
  readonly revocations: readonly Revocation[];
};

const bumpSql = sql(
  'user_bump_device_epoch',
  'UPDATE users SET device_epoch = device_epoch + 1 WHERE id = $1',
);

/** Makes void the device tokens of a user, and what waits for a mailed code. */
export async function voidPending(tx: Tx, user: Pick<User, 'id' | 'email'>): Promise<void> {
  await tx.execute(bumpSql, [user.id]);
  const changeId = await dropEmailChange(tx, user.id);
  if (changeId !== undefined) await dropCodes(tx, 'email-change', changeId);
  await dropCodes(tx, 'password-reset', user.email);
}

/** Ends the API keys of a user whose lock the caller holds, unless they are to go on. */
export async function endApiKeys(
  tx: Tx,
  userId: string,
  isWanted: boolean,
): Promise<{ readonly ended: readonly Revocation[]; readonly kept: number }> {
  const ended = isWanted ? await revokeKeys(tx, userId) : [];
  return { ended, kept: isWanted ? 0 : Number(await countValidKeys(tx, userId)) };
}

/**
 * Ends all credentials that could open an account: sessions with their refresh and access tokens,
 * API keys unless they are kept, device tokens, codes that were mailed, and changes of address that
 * wait. Sign-ups with its address open nothing while it has the account. The caller holds the lock
 * of the user.
 */
export async function endCredentials(
  tx: Tx,
  user: Pick<User, 'id' | 'email'>,
  { keepApiKeys }: { readonly keepApiKeys: boolean },
): Promise<EndedCredentials> {
  const sessions = (await endSessions(tx, await lockSessions(tx, user.id))).length;
  const tokens = await revokeUserTokens(tx, user.id);
  const { ended, kept } = await endApiKeys(tx, user.id, !keepApiKeys);
  await voidPending(tx, user);
  const revocations = [tokens, ...ended];
  return { sessions, apiKeys: ended.length, keptApiKeys: kept, revocations };
}

/** What a line of the audit log says of it. */
export const describeEnded = (ended: EndedCredentials): Readonly<Record<string, string>> => ({
  revokedSessions: String(ended.sessions),
  revokedApiKeys: String(ended.apiKeys),
  keptApiKeys: String(ended.keptApiKeys),
});

/** What the mail to the owner says of it. */
export const factsOfEnded = (ended: {
  readonly sessions: number;
  readonly apiKeys: number;
  readonly keptApiKeys: number;
}): Readonly<Record<string, string>> => ({
  'Sign-ins ended': String(ended.sessions),
  'API keys ended': String(ended.apiKeys),
  'API keys kept': String(ended.keptApiKeys),
});
