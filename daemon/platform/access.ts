import { createHash, timingSafeEqual } from 'node:crypto';

import { isUuid } from '../../core/ids.ts';
import { refuse, succeed, type Rejection, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import type { Revocations } from './revocations.ts';
import type { TokenVerifier, VerifiedToken } from './tokens.ts';

/** Who is calling, once the credential has been checked. */
export type Principal =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'service' }
  | {
      readonly kind: 'user';
      readonly userId: string;
      readonly role: Role;
      readonly sessionId: string;
    };

/**
 * Who may call a method: anybody; our own services only; or users of these roles, and our own
 * services too where `service` is among them.
 */
export type Policy = 'public' | readonly (Role | 'service')[];

export type Access = {
  /** The verdict on an access token, revocation included. */
  validateToken(token: string): Promise<Result<VerifiedToken>>;
  /** Checks the `authorization` metadata of a call and the method's policy. */
  authorize(authorization: string | undefined, policy: Policy): Promise<Result<Principal>>;
};

/** Checks credentials: `Bearer <access token>` from users, `Service <secret>` from services. */
export function createAccess(options: {
  readonly tokens: TokenVerifier;
  readonly revocations: Revocations;
  readonly serviceCredential: string;
}): Access {
  const serviceDigest = digest(options.serviceCredential);

  const identify = async (authorization: string | undefined): Promise<Result<Principal>> => {
    if (authorization === undefined) return succeed({ kind: 'anonymous' });
    const [scheme = '', credential = ''] = authorization.split(' ', 2);
    if (scheme === 'Service') {
      return timingSafeEqual(digest(credential), serviceDigest)
        ? succeed({ kind: 'service' })
        : refuse('TOKEN_INVALID', 'the service credential is not valid');
    }
    if (scheme.toLowerCase() !== 'bearer' || credential === '') {
      return refuse('TOKEN_INVALID', 'authorization must be "Bearer <access token>"');
    }
    const verified = await validate(credential, options);
    if (!verified.ok) return verified;
    const { userId, role, sessionId } = verified.value;
    return succeed({ kind: 'user', userId, role, sessionId });
  };

  return {
    validateToken: (token) => validate(token, options),
    authorize: async (authorization, policy) => {
      if (policy === 'public') return succeed({ kind: 'anonymous' });
      const identified = await identify(authorization);
      if (!identified.ok) return identified;
      const principal = identified.value;
      if (principal.kind === 'anonymous') {
        return refuse('CREDENTIALS_MISSING', 'this call needs a credential: sign in first');
      }
      const role = principal.kind === 'service' ? 'service' : principal.role;
      return policy.includes(role)
        ? identified
        : refuse('PERMISSION_DENIED', `a ${role} may not do this`, { role });
    },
  };
}

async function validate(
  token: string,
  options: { readonly tokens: TokenVerifier; readonly revocations: Revocations },
): Promise<Result<VerifiedToken>> {
  const verified = await options.tokens.verify(token);
  if (!verified.ok) return verified;
  if (!options.revocations.isFresh()) {
    return refuse(
      'AUTH_UNAVAILABLE',
      'credentials cannot be checked now: the auth service is away',
    );
  }
  return options.revocations.isRevoked(verified.value)
    ? refuse('TOKEN_REVOKED', 'this sign-in has been ended: sign in again')
    : verified;
}

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Another user's object is answered exactly like one that does not exist. */
export const userNotFound = (
  userId: string,
): { readonly ok: false; readonly rejection: Rejection } =>
  refuse('USER_NOT_FOUND', `there is no user ${userId}`, { field: 'user_id', userId });

/**
 * Whose objects a call is about: a customer's own; for staff, the user they name. `named` is the
 * request's user_id, empty if absent.
 */
export function resolveSubject(principal: Principal, named: string): Result<string> {
  if (named !== '' && !isUuid(named)) {
    return refuse('INVALID_ARGUMENT', 'user_id must be a UUID in lower case', { field: 'user_id' });
  }
  if (principal.kind === 'user' && principal.role === 'customer') {
    return named === '' || named === principal.userId
      ? succeed(principal.userId)
      : userNotFound(named);
  }
  if (named === '') {
    return refuse('USER_REQUIRED', 'staff must name the user whose wallet is meant', {
      field: 'user_id',
    });
  }
  return succeed(named);
}
