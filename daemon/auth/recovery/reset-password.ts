import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  ResetPasswordRequest,
  ResetPasswordResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import type { Revocations } from '../../platform/access/revocations.ts';
import { issueDeviceToken, type DeviceTokens } from '../sessions/device-tokens.ts';
import { canonicalizeEmail, canonicalizePassword, type User } from '../domain.ts';
import { hashTypedCode, isCodeValid, takeCode } from '../mails/codes.ts';
import { appendMail } from '../mails/store.ts';
import type { Notices } from '../notices/notices.ts';
import type { Passwords } from '../users/passwords.ts';
import { findUserByEmail, lockUser } from '../users/store.ts';
import { setPasswordHash } from '../store.ts';
import type { Attempted, Throttle } from '../throttling/throttle.ts';
import { fairCallerOf } from '../throttling/fair-caller.ts';
import { describeEnded, endCredentials, factsOfEnded } from './credentials.ts';
import { setEmail } from './store.ts';

export type RecoveryOptions = {
  readonly db: Db;
  readonly passwords: Passwords;
  readonly throttle: Throttle;
  readonly devices: DeviceTokens;
  readonly revocations: Pick<Revocations, 'apply'>;
  readonly notices: Notices;
  /** False: no mail is sent, so that nothing can be recovered by mail. */
  readonly isMailOn: boolean;
};

export const mailNotConfigured = refuse(
  'MAIL_NOT_CONFIGURED',
  'this server sends no mail (SMTP_URL): passwords are reset on its host',
);

/**
 * Queues a mail with a code for a new password. The same work and the same answer for every
 * address: whether there is an account is looked up when the mail is sent. MAIL_NOT_CONFIGURED,
 * EMAIL_INVALID, THROTTLED.
 */
export async function requestPasswordReset(
  { db, throttle, isMailOn }: RecoveryOptions,
  request: { readonly email: string },
  context: CallContext,
): Promise<Result<object>> {
  if (!isMailOn) return mailNotConfigured;
  const email = canonicalizeEmail(request.email);
  if (!email.ok) return email;
  const fairCaller = fairCallerOf(context, email.value);
  const work = async (): Promise<Attempted<object>> => {
    await db.tx(async (tx) => {
      // Past the limit nothing is mailed: a code that was mailed before works as long.
      if (!(await throttle.count(tx, throttle.bucketOf.resetMailsTo(email.value)))) return;
      await appendMail(tx, { kind: 'password-reset-code', recipient: email.value });
    });
    return { outcome: 'failed', result: succeed({}) };
  };
  return throttle.guard([throttle.bucketOf.resetsFrom(context.source)], work, { fairCaller });
}

const failed = {
  outcome: 'failed' as const,
  result: refuse(
    'VERIFICATION_CODE_INVALID',
    'this code resets no password of this address: it may be mistyped, used or older than 30 minutes',
    { field: 'code' },
  ),
};

/**
 * Sets a new password with a mailed code, and ends what was opened with the old one. Proves the
 * address. MAIL_NOT_CONFIGURED, EMAIL_INVALID, PASSWORD_INVALID, VERIFICATION_CODE_INVALID,
 * THROTTLED.
 */
export async function resetPassword(
  options: RecoveryOptions,
  request: ResetPasswordRequest,
  context: CallContext,
): Promise<Result<ResetPasswordResponse>> {
  const { throttle, isMailOn } = options;
  if (!isMailOn) return mailNotConfigured;
  const email = canonicalizeEmail(request.email);
  if (!email.ok) return email;
  const password = canonicalizePassword(request.newPassword);
  if (!password.ok) {
    return refuse('PASSWORD_INVALID', password.rejection.message, { field: 'new_password' });
  }
  const asked = { ...request, email: email.value, newPassword: password.value };
  const buckets = [throttle.bucketOf.codesFrom(context.source)];
  const fairCaller = fairCallerOf(context, email.value);
  return throttle.guard(buckets, () => tryReset(options, asked, context), { fairCaller });
}

async function tryReset(
  options: RecoveryOptions,
  request: ResetPasswordRequest,
  context: CallContext,
): Promise<Attempted<ResetPasswordResponse>> {
  const { db, passwords, revocations } = options;
  const codeHash = hashTypedCode(request.code);
  // Only the code is checked here: nothing reveals whether the address has an account.
  const isValid =
    codeHash && (await db.read((tx) => isCodeValid(tx, codeHash, 'password-reset', request.email)));
  if (!codeHash || !isValid) return failed;
  const hashed = await passwords.hash(request.newPassword, fairCallerOf(context, request.email));
  if (!hashed.ok) return { outcome: 'void', result: hashed };
  const done = await db.tx(async (tx) => {
    // The user before the code, as everywhere: two resets at once take turns.
    const found = await findUserByEmail(tx, request.email);
    const user = found && (await lockUser(tx, found.id));
    if (!user || user.isDisabled || user.email !== request.email) return undefined;
    if (!(await takeCode(tx, codeHash, 'password-reset', user.email))) return undefined;
    return replacePassword(tx, options, { user, passwordHash: hashed.value }, request, context);
  });
  if (!done) return failed;
  done.revocations.forEach((revocation) => revocations.apply(revocation));
  return { outcome: 'passed', result: succeed(done.response) };
}

async function replacePassword(
  tx: Tx,
  { devices, notices }: RecoveryOptions,
  { user, passwordHash }: { readonly user: User; readonly passwordHash: string },
  { keepApiKeys }: ResetPasswordRequest,
  context: CallContext,
) {
  const { source } = context;
  await setPasswordHash(tx, user.id, passwordHash);
  // The code proves that the mailbox is read: the address counts as verified now.
  await setEmail(tx, user.id, user.email);
  const ended = await endCredentials(tx, user, { keepApiKeys });
  await appendAudit(tx, context, {
    action: 'password.reset',
    target: user.id,
    result: 'ok',
    details: { source, ...describeEnded(ended) },
  });
  const facts = factsOfEnded(ended);
  await notices.notifyOwner(
    tx,
    { ...user, isEmailVerified: true },
    { kind: 'password-reset', source, facts },
  );
  const response = {
    revokedSessions: ended.sessions,
    revokedApiKeys: ended.apiKeys,
    keptApiKeys: ended.keptApiKeys,
    deviceToken: await issueDeviceToken(tx, devices, user),
  };
  return { response, revocations: ended.revocations };
}
