import { randomBytes } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  BeginTotpRequest,
  BeginTotpResponse,
  DisableTotpRequest,
  DisableTotpResponse,
  EnableTotpRequest,
  EnableTotpResponse,
  GetTotpStatusResponse,
  RegenerateRecoveryCodesRequest,
  RegenerateRecoveryCodesResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny } from '../../platform/access/access.ts';
import { appendAudit, type AuditActor } from '../../platform/audit/audit.ts';
import { readClock, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { checkSession } from '../sessions/caller-session.ts';
import type { User } from '../domain.ts';
import type { NoticeKind } from '../notices/kinds.ts';
import type { SessionOptions } from '../sessions/sessions.ts';
import * as codes from './codes.ts';
import { enrolmentLifeMs, isEnrolmentOpen } from './rules.ts';
import { invalid } from './second-factor.ts';
import * as store from './store.ts';
import { asHolder, asHolderWithPassword, endOthers } from './with-password.ts';

export type TotpOptions = SessionOptions & { readonly isStaffTotpRequired: boolean };

/** Whether the caller has a second factor, and whether they must. */
export async function getTotpStatus(
  options: TotpOptions,
  caller: AuditActor,
): Promise<Result<GetTotpStatusResponse>> {
  const { principal } = caller;
  if (principal.kind !== 'user') return deny('only a user has a second factor');
  const { userId, role } = principal;
  const status = await options.db.snapshot(async (tx) => ({
    secret: await store.findSecret(tx, userId),
    recoveryCodesLeft: await store.countRecoveryCodes(tx, userId),
  }));
  const enabledAtMs = status.secret?.enabledAtMs;
  return succeed({
    enabled: enabledAtMs !== undefined,
    enabledAt: enabledAtMs === undefined ? undefined : new Date(enabledAtMs),
    required: options.isStaffTotpRequired && role !== 'customer',
    recoveryCodesLeft: status.recoveryCodesLeft,
  });
}

/** Gives the caller, who shows the password, a secret that `enableTotp` confirms. */
export function beginTotp(
  options: TotpOptions,
  { password }: BeginTotpRequest,
  caller: CallContext,
): Promise<Result<BeginTotpResponse>> {
  const { sealer } = options.secondFactor;
  return asHolderWithPassword(options, caller, password, async (tx, { user, sessionId }) => {
    if (user.hasTotp) return alreadyEnabled;
    const secret = randomBytes(codes.secretBytes);
    const sealed = sealer.seal(user.id, secret);
    const begunAtMs = await readClock(tx);
    await store.keepSecret(tx, user.id, { sealed, sessionId, begunAtMs });
    return succeed({
      secret: codes.encodeBase32(secret),
      uri: codes.toUri(user.email, secret),
      expiresAt: new Date(begunAtMs + enrolmentLifeMs),
    });
  });
}

/**
 * Makes a second factor of the secret that the same session began, if the code is one of it. The
 * place where a second factor is enabled.
 */
export function enableTotp(
  options: TotpOptions,
  { code }: EnableTotpRequest,
  caller: CallContext,
): Promise<Result<EnableTotpResponse>> {
  return asHolder(options, caller, async (tx, held, revoke) => {
    const { user, sessionId } = held;
    if (user.hasTotp) return alreadyEnabled;
    const secret = await store.lockSecret(tx, user.id);
    const nowMs = await readClock(tx);
    const isOpen = secret?.sessionId === sessionId && isEnrolmentOpen(secret.begunAtMs, nowMs);
    const plain = isOpen && options.secondFactor.sealer.open(user.id, secret.sealed);
    if (!plain) return notBegun;
    const alive = await checkSession(tx, { userId: user.id, sessionId });
    if (!alive.ok) return alive;
    const read = codes.readCode(code);
    const step =
      read?.kind === 'totp' ? codes.findStep(plain, read.digits, nowMs, undefined) : undefined;
    if (step === undefined) return wrongFirstCode;
    await store.enableTotp(tx, user.id, step);
    const recoveryCodes = await renewRecoveryCodes(tx, user.id);
    const revokedSessions = await endOthers(tx, held, revoke);
    const details = { revokedSessions: String(revokedSessions) };
    const line = { action: 'totp.enable', target: user.id, result: 'ok', details };
    await appendAudit(tx, caller, line);
    await notify(tx, options, user, 'totp-enabled', caller);
    return succeed({ recoveryCodes, revokedSessions });
  });
}

/** Removes the caller's second factor. The place where its owner disables it. */
export function disableTotp(
  options: TotpOptions,
  { password, code }: DisableTotpRequest,
  caller: CallContext,
): Promise<Result<DisableTotpResponse>> {
  return asHolderWithPassword(options, caller, password, async (tx, held, revoke) => {
    const { user } = held;
    if (!user.hasTotp) return notEnabled;
    const checked = await options.secondFactor.check(tx, user.id, code, { actor: caller });
    if (!checked.ok) return inField(checked);
    await store.removeTotp(tx, user.id);
    const revokedSessions = await endOthers(tx, held, revoke);
    const details = { revokedSessions: String(revokedSessions) };
    const line = { action: 'totp.disable', target: user.id, result: 'ok', details };
    await appendAudit(tx, caller, line);
    await notify(tx, options, user, 'totp-disabled', caller);
    return succeed({ revokedSessions });
  });
}

/** Gives the caller new recovery codes; the old ones are void. */
export function regenerateRecoveryCodes(
  options: TotpOptions,
  { password, code }: RegenerateRecoveryCodesRequest,
  caller: CallContext,
): Promise<Result<RegenerateRecoveryCodesResponse>> {
  return asHolderWithPassword(options, caller, password, async (tx, { user }) => {
    if (!user.hasTotp) return notEnabled;
    const checked = await options.secondFactor.check(tx, user.id, code, { actor: caller });
    if (!checked.ok) return inField(checked);
    const recoveryCodes = await renewRecoveryCodes(tx, user.id);
    const line = { action: 'totp.recovery_codes', target: user.id, result: 'ok' };
    await appendAudit(tx, caller, line);
    await notify(tx, options, user, 'totp-recovery-codes', caller);
    return succeed({ recoveryCodes });
  });
}

const notify = (
  tx: Tx,
  { notices }: TotpOptions,
  user: User,
  kind: NoticeKind,
  { source }: CallContext,
): Promise<void> => notices.notifyOwner(tx, user, { kind, source });

async function renewRecoveryCodes(tx: Tx, userId: string): Promise<string[]> {
  const made = Array.from({ length: codes.recoveryCodeCount }, () =>
    codes.createRecoveryCode(randomBytes(codes.recoveryCodeBytes)),
  );
  await store.replaceRecoveryCodes(
    tx,
    userId,
    made.map(({ hash }) => hash),
  );
  return made.map(({ text }) => text);
}

type Refused = Extract<Result<never>, { readonly ok: false }>;

/** Here the field is `code`; a sign-in calls it `totp_code`. */
function inField({ rejection }: Refused): Result<never> {
  const { field, ...metadata } = rejection.metadata;
  if (field === undefined) return { ok: false, rejection };
  return { ok: false, rejection: { ...rejection, metadata: { ...metadata, field: 'code' } } };
}

const alreadyEnabled = refuse('TOTP_ALREADY_ENABLED', 'the account has a second factor already');
const notEnabled = refuse('TOTP_NOT_ENABLED', 'the account has no second factor');
const notBegun = refuse(
  'TOTP_NOT_BEGUN',
  'this session has no secret that waits for its first code, or that secret has expired',
);
const wrongFirstCode = inField(invalid);
