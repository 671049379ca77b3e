import { isUuid } from '../../core/ids.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { roleOfWireNumber, roleTable } from '../../core/roles.ts';
import type {
  AuthServiceServer,
  CreateUserRequest,
  CreateUserResponse,
  ResolveUsersRequest,
  ResolveUsersResponse,
  ValidateTokenResponse,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny, lacksRequiredTotp } from '../platform/access/access.ts';
import { isApiKey } from '../platform/access/api-keys.ts';
import type { AuditTrail } from '../platform/audit/audit.ts';
import { createAuditHandlers } from '../platform/audit/wire.ts';
import type { ClockAlarm } from '../platform/clock-alarm.ts';
import type { Db } from '../platform/db/db.ts';
import type { CallContext, Handlers } from '../platform/grpc/calls.ts';
import type { Log } from '../platform/log.ts';
import type { VerifiedToken } from '../platform/access/tokens.ts';
import { createAccount } from './users/accounts.ts';
import { createApiKey, listApiKeys, revokeApiKey, validateKey } from './api-keys/api-keys.ts';
import { changePassword } from './users/change-password.ts';
import { canonicalizeEmail, mayCreate, type CodePurpose, type User } from './domain.ts';
import { confirmEmailChange, requestEmailChange } from './recovery/change-email.ts';
import {
  requestPasswordReset,
  resetPassword,
  type RecoveryOptions,
} from './recovery/reset-password.ts';
import { revokeAllCredentials } from './recovery/revoke-all.ts';
import { listRevocations } from './revocations/feed.ts';
import { listSessions, revokeSession } from './sessions/session-list.ts';
import { createBrowserSessions } from './sessions/browser-sessions.ts';
import { refreshSession, signOut, type SignedIn } from './sessions/sessions.ts';
import { signIn } from './sessions/sign-in.ts';
import { recordSignIn } from './sessions/sign-in-audit.ts';
import { hashTypedCode, isCodePastBound } from './mails/codes.ts';
import { signUp, type SignUpOptions } from './sign-up/sign-up.ts';
import { verifyEmail } from './sign-up/verify-email.ts';
import * as store from './store.ts';
import {
  beginTotp,
  disableTotp,
  enableTotp,
  getTotpStatus,
  regenerateRecoveryCodes,
  type TotpOptions,
} from './totp/enrolment.ts';
import { fairCallerOf } from './throttling/fair-caller.ts';
import { resolveRecipient } from './users/recipients.ts';
import { getUser, listUsers, updateUser } from './users/users.ts';
import { toWireUser } from './wire.ts';

export type HandlerOptions = TotpOptions &
  SignUpOptions &
  RecoveryOptions & {
    readonly clockAlarm: ClockAlarm;
    readonly feedDb: Db;
    readonly trail: AuditTrail;
    readonly log: Log;
    /** Verdict on an access token, revocation included. */
    readonly validateToken: (token: string) => Promise<Result<VerifiedToken>>;
  };

export const maxResolved = 1_000;

/** Wire to domain and back. */
export function createHandlers(options: HandlerOptions): Handlers<AuthServiceServer> {
  const browserSessions = createBrowserSessions(options);
  return {
    signUp: (request, context) => signUp(options, { ...request, caller: context }),
    verifyEmail: (request, context) =>
      reportCode(options, 'sign-up', request.code, verifyEmail(options, request, context)),
    requestPasswordReset: (request, context) => requestPasswordReset(options, request, context),
    resetPassword: (request, context) =>
      reportCode(options, 'password-reset', request.code, resetPassword(options, request, context)),
    requestEmailChange: (request, context) => requestEmailChange(options, request, context),
    confirmEmailChange: (request, context) =>
      reportCode(
        options,
        'email-change',
        request.code,
        confirmEmailChange(options, request, context),
      ),
    revokeAllCredentials: (request, context) => revokeAllCredentials(options, request, context),
    signIn: async (request, context) => {
      const result = await signIn(options, { ...request, caller: context });
      return mapSignedIn(options, await recordSignIn(options, context, request.email, result));
    },
    changePassword: (request, context) => changePassword(options, request, context),
    refreshSession: async (request, { requestId }) =>
      mapSignedIn(options, await refreshSession(options, request.refreshToken, requestId)),
    exchangeSession: async ({ browserToken }, context) =>
      mapExchanged(options, await browserSessions.exchange(browserToken, context)),
    signOut: async (_request, { principal, requestId }) =>
      principal.kind === 'user'
        ? signOut(options, { principal, requestId })
        : deny('only a user can sign out'),
    validateToken: (request, { requestId }) =>
      validateToken(options, request.accessToken, requestId),
    getUser: (request, context) => getUser(options, request, context),
    resolveUsers: (request) => resolveUsers(options, request),
    resolveRecipient: (request, context) => resolveRecipient(options, request, context),
    listUsers: (request, context) => listUsers(options, request, context),
    createUser: (request, context) => createUser(options, request, context),
    updateUser: (request, context) => updateUser(options, request, context),
    listSessions: (request, context) => listSessions(options, request, context),
    revokeSession: (request, context) => revokeSession(options, request, context),
    createApiKey: (request, context) => createApiKey(options, request, context),
    listApiKeys: (request, context) => listApiKeys(options, request, context),
    revokeApiKey: (request, context) => revokeApiKey(options, request, context),
    getJwks: () => Promise.resolve(succeed({ jwksJson: options.keys.jwksJson })),
    listRevocations: (request) => listRevocations(options, request),
    getTotpStatus: (_request, context) => getTotpStatus(options, context),
    beginTotp: (request, context) => beginTotp(options, request, context),
    enableTotp: (request, context) => enableTotp(options, request, context),
    disableTotp: (request, context) => disableTotp(options, request, context),
    regenerateRecoveryCodes: (request, context) =>
      regenerateRecoveryCodes(options, request, context),
    ...createAuditHandlers(options),
  };
}

/**
 * Looks once more at a refused code after the answer, so that timing does not reveal the reason.
 */
async function reportCode<T>(
  { db, clockAlarm }: HandlerOptions,
  purpose: CodePurpose,
  text: string,
  answering: Promise<Result<T>>,
): Promise<Result<T>> {
  const answer = await answering;
  const codeHash = hashTypedCode(text);
  if (!answer.ok && answer.rejection.reason === 'VERIFICATION_CODE_INVALID' && codeHash) {
    clockAlarm.lookLater('mailed code', () =>
      db.read((tx) => isCodePastBound(tx, codeHash, purpose)),
    );
  }
  return answer;
}

async function validateToken(
  options: HandlerOptions,
  token: string,
  requestId: string,
): Promise<Result<ValidateTokenResponse>> {
  if (isApiKey(token)) return validateKey(options, token, requestId);
  const verified = await options.validateToken(token);
  if (!verified.ok) return verified;
  const { userId, role, sessionId, expiresAtMs, hasTotp } = verified.value;
  return succeed({
    userId,
    role: roleTable[role].wireNumber,
    sessionId,
    expiresAt: new Date(expiresAtMs),
    apiKey: undefined,
    asOf: undefined,
    totpEnabled: hasTotp,
    totpEnrolmentRequired: mustEnrol(options, { role, hasTotp }),
  });
}

async function resolveUsers(
  { db }: HandlerOptions,
  request: ResolveUsersRequest,
): Promise<Result<ResolveUsersResponse>> {
  if (request.userIds.length + request.emails.length > maxResolved) {
    return refuse('INVALID_ARGUMENT', `at most ${maxResolved} users can be asked for at once`, {
      field: 'user_ids',
    });
  }
  const ids = request.userIds.filter(isUuid);
  const emails = request.emails.map((text) => {
    const email = canonicalizeEmail(text);
    return email.ok ? email.value : undefined;
  });
  const users = await db.read((tx) =>
    store.findUsers(
      tx,
      ids,
      emails.filter((email) => email !== undefined),
    ),
  );
  const byId = new Map(users.map((user) => [user.id, user]));
  const byEmail = new Map(users.filter((u) => u.isEmailVerified).map((user) => [user.email, user]));
  const found = [
    ...request.userIds.map((id) => byId.get(id)),
    ...emails.map((email) => (email === undefined ? undefined : byEmail.get(email))),
  ];
  return succeed({
    users: found.filter((user): user is User => user !== undefined).map(toWireUser),
  });
}

async function createUser(
  options: HandlerOptions,
  request: CreateUserRequest,
  context: CallContext,
): Promise<Result<CreateUserResponse>> {
  const { principal } = context;
  const role = roleOfWireNumber(request.role);
  if (!role) return refuse('INVALID_ARGUMENT', 'role is missing or unknown', { field: 'role' });
  if (principal.kind !== 'user' || !mayCreate(principal.role, role)) {
    return deny(`you may not create a user with the role ${role}`, { field: 'role', role });
  }
  const { email, password } = request;
  const fairCaller = fairCallerOf(context, principal.userId);
  const account = { email, password, role, isEmailVerified: true };
  const created = await createAccount({ ...options, actor: context, fairCaller }, account);
  return created.ok ? succeed({ user: toWireUser(created.value) }) : created;
}

function mapSignedIn(options: HandlerOptions, result: Awaited<ReturnType<typeof signIn>>) {
  if (!result.ok) return result;
  const { tokens, user, deviceToken = '', recoveryCodesLeft, browserToken } = result.value;
  const totpEnrolmentRequired = mustEnrol(options, user);
  const signedIn = { tokens, user: toWireUser(user), deviceToken, totpEnrolmentRequired };
  return succeed({
    ...signedIn,
    ...(recoveryCodesLeft === undefined ? {} : { recoveryCodesLeft }),
    ...(browserToken === undefined ? {} : { browserToken }),
  });
}

function mapExchanged(options: HandlerOptions, result: Result<SignedIn>) {
  if (!result.ok) return result;
  const { tokens, user } = result.value;
  const totpEnrolmentRequired = mustEnrol(options, user);
  return succeed({ tokens, user: toWireUser(user), totpEnrolmentRequired });
}

const mustEnrol = (
  { isStaffTotpRequired }: TotpOptions,
  user: Pick<User, 'role' | 'hasTotp'>,
): boolean => isStaffTotpRequired && lacksRequiredTotp(user);
