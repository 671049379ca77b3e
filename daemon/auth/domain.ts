import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import { findTextProblem } from '../../core/text.ts';

export type User = {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly isDisabled: boolean;
  readonly isEmailVerified: boolean;
  readonly createdAtMs: number;
};

type Session = {
  readonly id: string;
  readonly userId: string;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | undefined;
};

/** A refresh token that was presented, and what became of it before. */
export type PresentedToken = {
  readonly session: Session;
  readonly isUserDisabled: boolean;
  readonly usedAtMs: number | undefined;
  /** Whether the token that it was traded for has been used in turn. */
  readonly isSuccessorUsed: boolean;
};

export const accessTokenLifeMs = 15 * 60_000;
/** However often a session is refreshed, it ends after 30 days. */
export const sessionLifeMs = 30 * 24 * 60 * 60_000;
/** How long a used refresh token gets its successor once more, for a reply that was lost. */
export const refreshGraceMs = 10_000;

/** NIST SP 800-63B-4 asks for length alone: no composition rules, and room for passphrases. */
const minPasswordLength = 12;
const maxPasswordLength = 256;

const maxEmailLength = 254;

/**
 * Looked at before anything else: to normalise text takes time with the square of its combining
 * marks, so what is far too long must not get that far.
 */
const maxRawLength = 1_024;

/** One form per address: trimmed, NFC, lower case. EMAIL_INVALID unless it looks like local@domain. */
export function canonicalizeEmail(text: string): Result<string> {
  const email = text.length > maxRawLength ? '' : text.trim().normalize('NFC').toLowerCase();
  const isWellFormed =
    // Nothing invisible, which could make one address look like another; and no stray dots.
    !/[\p{Cf}\p{Default_Ignorable_Code_Point}]|^\.|\.\.|\.@/u.test(email) &&
    findTextProblem(email, maxEmailLength) === undefined &&
    /^[^\s@<>,;:"()[\]\\\p{Cc}]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/u.test(
      email,
    );
  return isWellFormed
    ? succeed(email)
    : refuse('EMAIL_INVALID', 'email must look like name@example.com', { field: 'email' });
}

/** NFC, so that the same keys typed elsewhere give the same bytes; undefined if it is far too long. */
export function normalizePassword(text: string): string | undefined {
  return text.length > maxRawLength ? undefined : text.normalize('NFC');
}

/** A password to be set, in its normal form. PASSWORD_INVALID by length. */
export function canonicalizePassword(text: string): Result<string> {
  const password = normalizePassword(text);
  if (password === undefined) {
    return refuse(
      'PASSWORD_INVALID',
      `password must have at most ${maxPasswordLength} characters`,
      {
        field: 'password',
      },
    );
  }
  const length = Array.from(password).length;
  if (length < minPasswordLength) {
    return refuse(
      'PASSWORD_INVALID',
      `password must have at least ${minPasswordLength} characters`,
      {
        field: 'password',
      },
    );
  }
  const problem = findTextProblem(password, maxPasswordLength);
  return problem === undefined
    ? succeed(password)
    : refuse('PASSWORD_INVALID', `password ${problem}`, { field: 'password' });
}

/**
 * What a presented refresh token gets: `rotate`, its successor for the first time; `repeat`, the
 * same successor again within the grace; `revoke`, nothing, and its session ends, since somebody
 * has a copy; `refuse`, nothing.
 */
export function decideRefresh(
  presented: PresentedToken,
  nowMs: number,
): 'rotate' | 'repeat' | 'revoke' | 'refuse' {
  const { session, usedAtMs } = presented;
  if (presented.isUserDisabled || session.revokedAtMs !== undefined) return 'refuse';
  if (session.expiresAtMs <= nowMs) return 'refuse';
  if (usedAtMs === undefined) return 'rotate';
  const isWithinGrace = nowMs - usedAtMs <= refreshGraceMs;
  return isWithinGrace && !presented.isSuccessorUsed ? 'repeat' : 'revoke';
}

/** What an admin asks for; undefined leaves it as it is. */
export type UserChange = {
  readonly role: Role | undefined;
  readonly isDisabled: boolean | undefined;
};

/**
 * The user after a change. LAST_ADMIN if nobody would be left who may manage users.
 *
 * @param adminIds every admin who is enabled, the user included if they are one
 */
export function decideUserChange(
  user: User,
  adminIds: readonly string[],
  change: UserChange,
): Result<User> {
  const role = change.role ?? user.role;
  const isDisabled = change.isDisabled ?? user.isDisabled;
  const isStillAdmin = role === 'admin' && !isDisabled;
  const isOnlyAdmin = adminIds.length === 1 && adminIds[0] === user.id;
  if (isOnlyAdmin && !isStillAdmin) {
    return refuse('LAST_ADMIN', `${user.email} is the last admin: make another one first`, {
      userId: user.id,
      email: user.email,
    });
  }
  return succeed({ ...user, role, isDisabled });
}

/** Operators create customers; admins create anybody; nobody else creates. */
export function mayCreate(creator: Role, created: Role): boolean {
  return creator === 'admin' || (creator === 'operator' && created === 'customer');
}
