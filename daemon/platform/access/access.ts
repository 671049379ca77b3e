import { createHash, timingSafeEqual } from 'node:crypto';

import { canonicalUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { withArticle, type Role } from '../../../core/roles.ts';
import type { ApiKeyScope } from '../../../core/scopes.ts';
import { isApiKey, type KeyVerifier, type VerifiedKey } from './api-keys.ts';
import type { Revocations } from './revocations.ts';
import type { TokenVerifier, VerifiedToken } from './tokens.ts';

/** A user who is calling: signed in, or by an API key (then `apiKey` bounds what they may do). */
export type UserPrincipal = {
  readonly kind: 'user';
  readonly userId: string;
  readonly role: Role;
  readonly sessionId: string | undefined;
  readonly apiKey: VerifiedKey | undefined;
  /** Staff without the second factor that they must have: they can enrol one, and no more. */
  readonly mustEnrol?: true;
};

/** Who is calling, once the credential has been checked. */
export type Principal =
  { readonly kind: 'anonymous' } | { readonly kind: 'service' } | UserPrincipal;

/**
 * Who may call a method: all callers; or users of these roles. `scope`: API keys with it may as
 * well, their owner's role still counting; `any`: every API key may; without `scope` none may. `service`: our own
 * services. `enrolling`: staff may as well who must enrol a second factor first.
 */
export type Policy =
  | 'public'
  | {
      readonly roles: readonly Role[];
      readonly scope?: ApiKeyScope | 'any';
      readonly service?: true;
      readonly enrolling?: true;
    };

export type Access = {
  /** The verdict on an access token, revocation included. */
  validateToken(token: string): Promise<Result<VerifiedToken>>;
  /** True for the credential of our own services in other processes. */
  isService(authorization: string | undefined): boolean;
  /**
   * Who the `authorization` metadata of a call stands for, whatever they may do. `source`: the
   * address that the call came from.
   */
  identify(authorization: string | undefined, source?: string): Promise<Result<Principal>>;
  /** The same, with the method's policy. */
  authorize(
    authorization: string | undefined,
    policy: Policy,
    source?: string,
  ): Promise<Result<Principal>>;
  /**
   * The same at once, for an access token that was verified before and is accepted now, revocation
   * included. Undefined for everything else: `authorize` says what it is.
   */
  recall(authorization: string | undefined, policy: Policy): UserPrincipal | undefined;
};

type Verifiers = {
  readonly tokens: TokenVerifier;
  readonly keys: KeyVerifier;
  readonly revocations: Revocations;
  /** STAFF_TOTP of this process; that of the auth service comes with the revocations. */
  readonly isStaffTotpRequired: boolean;
};

/** `Bearer <access token or API key>` from users, `Service <secret>` from our own services. */
export function createAccess(options: Verifiers & { readonly serviceCredential: string }): Access {
  const serviceDigest = digest(options.serviceCredential);
  const isService = (authorization: string | undefined): boolean =>
    authorization?.startsWith(service) === true &&
    timingSafeEqual(digest(authorization.slice(service.length)), serviceDigest);

  const identify: Access['identify'] = async (authorization, source) => {
    if (authorization === undefined) return succeed({ kind: 'anonymous' });
    const [scheme = '', credential = ''] = authorization.split(' ', 2);
    if (scheme === 'Service') {
      return isService(authorization)
        ? succeed({ kind: 'service' })
        : refuse('TOKEN_INVALID', 'the service credential is not valid');
    }
    if (scheme.toLowerCase() !== 'bearer' || credential === '') {
      return refuse('TOKEN_INVALID', 'authorization must be "Bearer <access token or API key>"');
    }
    return isApiKey(credential)
      ? identifyKey(credential, options, source)
      : identifyToken(credential, options);
  };

  return {
    validateToken: (token) => validate(token, options),
    isService,
    identify,
    authorize: async (authorization, policy, source) => {
      if (policy === 'public') return succeed({ kind: 'anonymous' });
      const identified = await identify(authorization, source);
      return identified.ok ? checkPolicy(identified.value, policy) : identified;
    },
    recall: (authorization, policy) => {
      if (policy === 'public' || !authorization?.startsWith(bearer)) return undefined;
      const verified = options.tokens.recall(authorization.slice(bearer.length));
      if (!verified || !options.revocations.isFresh()) return undefined;
      if (options.revocations.isRevoked(verified)) return undefined;
      const principal = toPrincipal(verified, options);
      return checkPolicy(principal, policy).ok ? principal : undefined;
    },
  };
}

const bearer = 'Bearer ';
const service = 'Service ';

function toPrincipal(token: VerifiedToken, options: Verifiers): UserPrincipal {
  const { userId, role, sessionId } = token;
  const mustEnrol = isTotpRequired(options) && lacksRequiredTotp(token);
  const user = { kind: 'user', userId, role, sessionId, apiKey: undefined } as const;
  return mustEnrol ? { ...user, mustEnrol } : user;
}

const isTotpRequired = ({ isStaffTotpRequired, revocations }: Verifiers): boolean =>
  isStaffTotpRequired || revocations.isStaffTotpRequired();

/**
 * Whether these are staff without a second factor: with STAFF_TOTP=required they must enrol one.
 */
export const lacksRequiredTotp = (user: {
  readonly role: Role;
  readonly hasTotp: boolean;
}): boolean => user.role !== 'customer' && !user.hasTotp;

/** The refusal for staff who must enrol a second factor first, and for their API keys. */
export const refuseWithoutTotp = ({ apiKey, role }: UserPrincipal) =>
  asDenial(apiKey ? keyWithoutTotp : staffWithoutTotp(role));

const staffWithoutTotp = (role: Role) =>
  refuse(
    'TOTP_ENROLMENT_REQUIRED',
    `a second factor is required of every ${role}: enrol one first`,
    {
      role,
    },
  );

export const keyWithoutTotp = refuse(
  'TOTP_ENROLMENT_REQUIRED',
  'a second factor is required of the owner of this API key: the key works once they enrol one',
);

/**
 * Whether the policy lets this principal in. CREDENTIALS_MISSING, TOTP_ENROLMENT_REQUIRED,
 * PERMISSION_DENIED.
 */
export function checkPolicy(principal: Principal, policy: Policy): Result<Principal> {
  if (policy === 'public') return succeed({ kind: 'anonymous' });
  if (principal.kind === 'anonymous') {
    return refuse('CREDENTIALS_MISSING', 'this call needs a credential: sign in first');
  }
  const isEnrolling = policy.enrolling === true && principal.kind === 'user' && !principal.apiKey;
  if (principal.kind === 'user' && principal.mustEnrol && !isEnrolling) {
    return refuseWithoutTotp(principal);
  }
  const role = principal.kind === 'service' ? 'service' : principal.role;
  const isAllowed = role === 'service' ? policy.service === true : policy.roles.includes(role);
  if (!isAllowed) return deny(`${withArticle(role)} may not do this`, { role });
  if (principal.kind === 'service' || !principal.apiKey) return succeed(principal);
  const { scope } = policy;
  if (scope === undefined) return deny('an API key may not do this: sign in as a person');
  return scope === 'any' || principal.apiKey.scopes.includes(scope)
    ? succeed(principal)
    : deny(`this API key lacks the scope ${scope}`, { scope });
}

async function identifyToken(token: string, options: Verifiers): Promise<Result<Principal>> {
  const verified = await validate(token, options);
  if (!verified.ok) return verified;
  return succeed(toPrincipal(verified.value, options));
}

async function identifyKey(
  secret: string,
  options: Verifiers,
  source: string | undefined,
): Promise<Result<Principal>> {
  if (!options.revocations.isFresh()) return unheard;
  const verified = await options.keys.verify(secret, source);
  if (!verified.ok) return verified;
  const apiKey = verified.value;
  if (options.revocations.isKeyRevoked(apiKey.keyId)) {
    return refuse('TOKEN_REVOKED', 'this API key has been revoked');
  }
  const { userId, role, hasOwnerTotp: hasTotp } = apiKey;
  const mustEnrol = isTotpRequired(options) && lacksRequiredTotp({ role, hasTotp });
  const user = { kind: 'user', userId, role, sessionId: undefined, apiKey } as const;
  return succeed(mustEnrol ? { ...user, mustEnrol } : user);
}

const unheard = refuse(
  'AUTH_UNAVAILABLE',
  'credentials cannot be checked now: the auth service is unavailable',
);

async function validate(token: string, options: Verifiers): Promise<Result<VerifiedToken>> {
  const verified = await options.tokens.verify(token);
  if (!verified.ok) return verified;
  if (!options.revocations.isFresh()) return unheard;
  return options.revocations.isRevoked(verified.value)
    ? refuse('TOKEN_REVOKED', 'this sign-in has been ended: sign in again')
    : verified;
}

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** A refusal for want of rights: it is recorded in the audit log too. */
export function deny(
  message: string,
  metadata: Rejection['metadata'] = {},
): { readonly ok: false; readonly rejection: Rejection } {
  return asDenial(refuse('PERMISSION_DENIED', message, metadata));
}

/** The same refusal, and a line for the audit log, under whatever reason. */
export function asDenial({ rejection }: { readonly rejection: Rejection }): {
  readonly ok: false;
  readonly rejection: Rejection;
} {
  return { ok: false, rejection: { ...rejection, isDenial: true } };
}

/** Another user's object is answered exactly like one that does not exist. */
export const userNotFound = (
  userId: string,
): { readonly ok: false; readonly rejection: Rejection } =>
  refuse('USER_NOT_FOUND', `there is no user ${userId}`, { field: 'user_id', userId });

/**
 * Whose objects a call is about: a customer's own; for staff, the user they name. `userId` is the
 * request's, empty if absent.
 */
export function resolveSubject(principal: Principal, userId: string): Result<string> {
  const named = userId === '' ? '' : canonicalUuid(userId);
  if (named === undefined) {
    return refuse('INVALID_ARGUMENT', 'user_id must be a UUID', { field: 'user_id' });
  }
  if (principal.kind === 'user' && principal.role === 'customer') {
    if (named === '' || named === principal.userId) return succeed(principal.userId);
    return asDenial(userNotFound(named));
  }
  if (named === '') {
    return refuse('USER_REQUIRED', 'staff must name the user whose wallet is meant', {
      field: 'user_id',
    });
  }
  return succeed(named);
}

/** An API key that is for one wallet reaches no other, whether or not there is another. */
export function checkWalletOfKey(principal: Principal, walletId: string): Result<void> {
  const only = principal.kind === 'user' ? principal.apiKey?.walletId : undefined;
  if (only === undefined || only === walletId) return succeed(undefined);
  const { rejection } = deny('this API key is for another wallet only');
  return { ok: false, rejection: { ...rejection, denied: { target: walletId } } };
}
