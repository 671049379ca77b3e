import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  ConfirmEmailChangeResponse,
  RequestEmailChangeRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny } from '../../platform/access/access.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import type { Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { checkSession } from '../sessions/caller-session.ts';
import { issueDeviceToken } from '../sessions/device-tokens.ts';
import { canonicalizeEmail, normalizePassword, type User } from '../domain.ts';
import { dropCodes, hashTypedCode, takeCode } from '../mails/codes.ts';
import { appendMail } from '../mails/store.ts';
import { findPasswordHash, lockUser } from '../users/store.ts';
import * as store from '../store.ts';
import type { Attempted } from '../throttling/throttle.ts';
import { fairCallerOf } from '../throttling/fair-caller.ts';
import { toWireUser } from '../wire.ts';
import { voidPending } from './credentials.ts';
import { mailNotConfigured, type RecoveryOptions } from './reset-password.ts';
import { dropEmailChange, findEmailChange, keepEmailChange, setEmail } from './store.ts';

type Caller = { readonly userId: string; readonly sessionId: string };

function readCaller({ principal }: CallContext): Result<Caller> {
  return principal.kind === 'user' && principal.sessionId !== undefined
    ? succeed({ userId: principal.userId, sessionId: principal.sessionId })
    : deny('only a person who is signed in can change an address');
}

/**
 * Queues a mail with a code to the address that the caller wants, which counts for nothing before
 * the code comes back. Needs the password. The answer does not tell whether another account has the
 * address. MAIL_NOT_CONFIGURED, EMAIL_INVALID, CREDENTIALS_INVALID, THROTTLED.
 */
export async function requestEmailChange(
  options: RecoveryOptions,
  request: RequestEmailChangeRequest,
  context: CallContext,
): Promise<Result<object>> {
  const { throttle, isMailOn } = options;
  const caller = readCaller(context);
  if (!caller.ok) return caller;
  if (!isMailOn) return mailNotConfigured;
  const email = canonicalizeEmail(request.newEmail);
  if (!email.ok) return refuse('EMAIL_INVALID', email.rejection.message, { field: 'new_email' });
  const { userId, sessionId } = caller.value;
  const asked = { userId, sessionId, newEmail: email.value, password: request.password };
  const fairCaller = fairCallerOf(context, userId);
  const buckets = [throttle.bucketOf.session(sessionId)];
  return throttle.guard(buckets, () => tryRequest(options, asked, context), { fairCaller });
}

const wrongPassword = {
  outcome: 'failed' as const,
  result: refuse('CREDENTIALS_INVALID', 'the password is not right', { field: 'password' }),
};

const tooMany = refuse('THROTTLED', 'too many changes of address: try again in an hour', {
  retryAfterSeconds: '3600',
});

async function tryRequest(
  { db, passwords, throttle }: RecoveryOptions,
  asked: Caller & { readonly newEmail: string; readonly password: string },
  context: CallContext,
): Promise<Attempted<object>> {
  const { userId, newEmail } = asked;
  const password = normalizePassword(asked.password);
  const current = await db.read((tx) => findPasswordHash(tx, userId));
  const verified = await passwords.verify(
    password === undefined ? undefined : current,
    password ?? '',
    fairCallerOf(context, userId),
  );
  if (!verified.ok) return { outcome: 'void', result: verified };
  if (!verified.value.isMatch) return wrongPassword;
  return db.tx(async (tx): Promise<Attempted<object>> => {
    // Another call may have changed it meanwhile, or disabled the account.
    if ((await store.lockPasswordHash(tx, userId)) !== current) return wrongPassword;
    const user = await lockUser(tx, userId);
    if (!user) return wrongPassword;
    const alive = await checkSession(tx, asked);
    if (!alive.ok) return { outcome: 'failed', result: alive };
    if (user.email === newEmail && user.isEmailVerified) {
      const message = 'this is the address of the account already';
      return {
        outcome: 'passed',
        result: refuse('EMAIL_INVALID', message, { field: 'new_email' }),
      };
    }
    if (!(await throttle.count(tx, throttle.bucketOf.changesOf(userId)))) {
      return { outcome: 'passed', result: tooMany };
    }
    const id = randomUUID();
    await replaceChange(tx, userId, { id, newEmail });
    const isMailed = await throttle.count(tx, throttle.bucketOf.changeMailsTo(newEmail));
    const mail = { kind: 'email-change-code', recipient: newEmail, details: { changeId: id } };
    if (isMailed) await appendMail(tx, mail);
    const details = { newEmail };
    const line = { action: 'email.request_change', target: userId, result: 'ok', details };
    await appendAudit(tx, context, line);
    return { outcome: 'passed', result: succeed({}) };
  });
}

/** A code of an earlier change must not confirm this one: it was mailed to another address. */
async function replaceChange(
  tx: Tx,
  userId: string,
  change: { readonly id: string; readonly newEmail: string },
): Promise<void> {
  const earlierId = await dropEmailChange(tx, userId);
  if (earlierId !== undefined) await dropCodes(tx, 'email-change', earlierId);
  await keepEmailChange(tx, userId, change);
}

const failed = {
  outcome: 'failed' as const,
  result: refuse(
    'VERIFICATION_CODE_INVALID',
    'no change of your address waits for this code: it may be mistyped, used, replaced or older ' +
      'than 30 minutes',
    { field: 'code' },
  ),
};

/**
 * Gives the caller's account the address that a code was mailed to, and reports it to the old one.
 * VERIFICATION_CODE_INVALID, EMAIL_TAKEN, THROTTLED.
 */
export async function confirmEmailChange(
  options: RecoveryOptions,
  request: { readonly code: string },
  context: CallContext,
): Promise<Result<ConfirmEmailChangeResponse>> {
  const { db, throttle, isMailOn } = options;
  const caller = readCaller(context);
  if (!caller.ok) return caller;
  if (!isMailOn) return mailNotConfigured;
  const { userId, sessionId } = caller.value;
  const codeHash = hashTypedCode(request.code);
  const buckets = [throttle.bucketOf.session(sessionId)];
  const attempt = async (): Promise<Attempted<ConfirmEmailChangeResponse>> => {
    if (!codeHash) return failed;
    const work = db.tx(async (tx): Promise<Attempted<ConfirmEmailChangeResponse>> => {
      const user = await lockUser(tx, userId);
      const change = user && (await findEmailChange(tx, userId));
      if (!user || user.isDisabled || !change) return failed;
      const alive = await checkSession(tx, caller.value);
      if (!alive.ok) return { outcome: 'failed', result: alive };
      if (!(await takeCode(tx, codeHash, 'email-change', change.id))) return failed;
      const response = await setNewEmail(tx, options, { user, newEmail: change.newEmail }, context);
      return { outcome: 'passed', result: succeed(response) };
    });
    return work.catch((err: unknown) => {
      if (!store.isEmailTaken(err)) throw err;
      // Only a reader of the mailbox learns this. Rolled back: the code stays valid.
      const message = 'another account has this address by now';
      return { outcome: 'failed', result: refuse('EMAIL_TAKEN', message, { field: 'code' }) };
    });
  };
  return throttle.guard(buckets, attempt, { fairCaller: fairCallerOf(context, userId) });
}

async function setNewEmail(
  tx: Tx,
  { devices, notices }: RecoveryOptions,
  { user, newEmail }: { readonly user: User; readonly newEmail: string },
  context: CallContext,
): Promise<ConfirmEmailChangeResponse> {
  const { source } = context;
  await setEmail(tx, user.id, newEmail);
  // Also the codes for a new password that were mailed to the old address.
  await voidPending(tx, user);
  const changed = { ...user, email: newEmail, isEmailVerified: true };
  const details = { previousEmail: user.email, email: newEmail };
  const line = { action: 'email.change', target: user.id, result: 'ok', details };
  await appendAudit(tx, context, line);
  if (user.email !== newEmail)
    await notices.notifyOwner(tx, user, { kind: 'email-changed', source });
  await notices.notifyOwner(tx, changed, { kind: 'email-confirmed', source });
  const deviceToken = await issueDeviceToken(tx, devices, changed);
  return { user: toWireUser(changed), deviceToken };
}
