import { isUuid } from '../../core/ids.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type {
  AuthServiceServer,
  CreateUserRequest,
  CreateUserResponse,
  GetUserRequest,
  GetUserResponse,
  ListRevocationsRequest,
  ListRevocationsResponse,
  ResolveUsersRequest,
  ResolveUsersResponse,
  ValidateTokenResponse,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { resolveSubject, userNotFound, type Principal } from '../platform/access.ts';
import { readClock, type Db } from '../platform/db.ts';
import type { CallContext, Handlers } from '../platform/grpc/calls.ts';
import type { VerifiedToken } from '../platform/tokens.ts';
import { createAccount } from './accounts.ts';
import { changePassword } from './change-password.ts';
import { canonicalizeEmail, mayCreate, type User } from './domain.ts';
import { refreshSession, signIn, signOut, type SessionOptions } from './sessions.ts';
import * as store from './store.ts';
import { signUp, verifyEmail, type SignUpOptions } from './verification.ts';
import { readRole, toWireRole, toWireUser } from './wire.ts';

export type HandlerOptions = SessionOptions &
  SignUpOptions & {
    readonly feedDb: Db;
    /** Verdict on an access token, revocation included. */
    readonly validateToken: (token: string) => Promise<Result<VerifiedToken>>;
  };

const maxResolved = 1_000;

const revocationCases = {
  session: 'sessionId',
  user: 'userId',
  'api-key': 'apiKeyId',
} as const;

/** Wire to domain and back. */
export function createHandlers(options: HandlerOptions): Handlers<AuthServiceServer> {
  return {
    signUp: (request, { source }) => signUp(options, { ...request, source }),
    verifyEmail: (request, { source }) => verifyEmail(options, { ...request, source }),
    signIn: async (request, { source }) =>
      mapSignedIn(await signIn(options, { ...request, source })),
    changePassword: (request, { principal }) => changePassword(options, request, principal),
    refreshSession: async (request) =>
      mapSignedIn(await refreshSession(options, request.refreshToken)),
    signOut: async (_request, { principal }) =>
      principal.kind === 'user' && principal.sessionId !== undefined
        ? signOut(options, principal.sessionId)
        : refuse('PERMISSION_DENIED', 'only a user can sign out'),
    validateToken: (request) => validateToken(options, request.accessToken),
    getUser: (request, context) => getUser(options, request, context),
    resolveUsers: (request) => resolveUsers(options, request),
    createUser: (request, context) => createUser(options, request, context.principal),
    getJwks: () => Promise.resolve(succeed({ jwksJson: options.keys.jwksJson })),
    listRevocations: (request) => listRevocations(options, request),
  };
}

async function validateToken(
  options: HandlerOptions,
  token: string,
): Promise<Result<ValidateTokenResponse>> {
  const verified = await options.validateToken(token);
  if (!verified.ok) return verified;
  const { userId, role, sessionId, expiresAtMs } = verified.value;
  return succeed({
    userId,
    role: toWireRole(role),
    sessionId,
    expiresAt: new Date(expiresAtMs),
    apiKey: undefined,
    asOf: undefined,
  });
}

async function getUser(
  { db }: HandlerOptions,
  request: GetUserRequest,
  { principal }: CallContext,
): Promise<Result<GetUserResponse>> {
  const own = principal.kind === 'user' ? principal.userId : '';
  const subject = resolveSubject(principal, request.userId === '' ? own : request.userId);
  if (!subject.ok) return subject;
  const [user] = await db.read((tx) => store.findUsers(tx, [subject.value], []));
  return user ? succeed({ user: toWireUser(user) }) : userNotFound(subject.value);
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
  principal: Principal,
): Promise<Result<CreateUserResponse>> {
  const role = readRole(request.role);
  if (!role) return refuse('INVALID_ARGUMENT', 'role is missing or unknown', { field: 'role' });
  if (principal.kind !== 'user' || !mayCreate(principal.role, role)) {
    return refuse('PERMISSION_DENIED', `you may not create a user with the role ${role}`, {
      field: 'role',
      role,
    });
  }
  const { email, password } = request;
  const created = await createAccount(options, { email, password, role, isEmailVerified: true });
  return created.ok ? succeed({ user: toWireUser(created.value) }) : created;
}

async function listRevocations(
  { feedDb }: HandlerOptions,
  request: ListRevocationsRequest,
): Promise<Result<ListRevocationsResponse>> {
  return feedDb.read(async (tx) => {
    const asOfMs = await readClock(tx);
    const revocations = await store.listRevocations(tx, request.since?.getTime());
    return succeed({
      asOf: new Date(asOfMs),
      revocations: revocations.map(({ kind, id, revokedAtMs }) => ({
        subject: { $case: revocationCases[kind], value: id },
        revokedAt: new Date(revokedAtMs),
      })),
    });
  });
}

function mapSignedIn(result: Awaited<ReturnType<typeof signIn>>) {
  if (!result.ok) return result;
  const { tokens, user, deviceToken = '' } = result.value;
  return succeed({ tokens, user: toWireUser(user), deviceToken });
}
