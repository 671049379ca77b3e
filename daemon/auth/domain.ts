import { canonicalizeEmail } from '../../core/addresses.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import { findSecretProblem, findTextProblem } from '../../core/text.ts';
import { accessTokenLifeMs, isEndInvalid } from '../../core/time/stored-times.ts';

export type User = {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly isDisabled: boolean;
  readonly isEmailVerified: boolean;
  readonly createdAtMs: number;
  /** Sign-in needs a code besides the password. */
  readonly hasTotp: boolean;
  /** Access tokens of earlier generations are void. */
  readonly tokenGeneration: number;
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

export { accessTokenLifeMs, canonicalizeEmail };
/** However often a session is refreshed, it ends after 30 days. */
export const sessionLifeMs = 30 * 24 * 60 * 60_000;
/** How long a used refresh token gets its successor once more, for a reply that was lost. */
export const refreshGraceMs = 10_000;

/** NIST SP 800-63B-4 asks for length alone: no composition rules, and room for passphrases. */
const minPasswordLength = 12;
const maxPasswordLength = 256;

/**
 * Looked at before anything else: to normalise text takes time with the square of its combining
 * marks, so what is far too long must not get that far.
 */
const maxRawLength = 1_024;

/**
 * NFC, so that the same keys typed elsewhere give the same bytes. Undefined if it is far too long,
 * or has what a decoder puts in place of bad bytes: it would match passwords with other bad bytes.
 */
export function normalizePassword(text: string): string | undefined {
  const isUsable = text.length <= maxRawLength && findSecretProblem(text) === undefined;
  return isUsable ? text.normalize('NFC') : undefined;
}

/** A password to be set, in its normal form. PASSWORD_INVALID by length. */
export function canonicalizePassword(text: string): Result<string> {
  const undecodable = findSecretProblem(text);
  if (undecodable !== undefined) {
    return refuse('PASSWORD_INVALID', `password ${undecodable}`, { field: 'password' });
  }
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
 * same successor again within the grace; `revoke`, nothing, and its session ends, since the token
 * was copied; `refuse`, nothing.
 */
export function decideRefresh(
  presented: PresentedToken,
  nowMs: number,
): 'rotate' | 'repeat' | 'revoke' | 'refuse' {
  const { session, usedAtMs } = presented;
  if (presented.isUserDisabled || session.revokedAtMs !== undefined) return 'refuse';
  if (session.expiresAtMs <= nowMs) return 'refuse';
  if (isEndInvalid(session.expiresAtMs, nowMs, sessionLifeMs)) return 'refuse';
  if (usedAtMs === undefined) return 'rotate';
  // A use in the future was noted while the clock was ahead: how long ago it was is unknown.
  const isWithinGrace = Math.abs(nowMs - usedAtMs) <= refreshGraceMs;
  return isWithinGrace && !presented.isSuccessorUsed ? 'repeat' : 'revoke';
}

/** What an admin asks for; undefined leaves it as it is. */
export type UserChange = {
  readonly role: Role | undefined;
  readonly isDisabled: boolean | undefined;
};

/**
 * The user after a change. LAST_ADMIN if no user would be left who may manage users.
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

/** Operators create customers, admins create any user, and customers create no user. */
export function mayCreate(creator: Role, created: Role): boolean {
  return creator === 'admin' || (creator === 'operator' && created === 'customer');
}

/**
 * How many attempts are let through. `waitsMs`: how long the next one waits after the first,
 * second, … attempt that counts; the last stands for all further ones. `forgetMs`: after how long
 * all of them are forgotten; from the latest attempt on if they are counted in a row
 * (`isConsecutive`), otherwise from the first on. A success clears those counted in a row, unless
 * `isOnlyReturned`: then it takes back its own attempt, so that others cannot see from the counter
 * that it happened.
 */
export type AttemptLimit = {
  readonly waitsMs: readonly number[];
  readonly forgetMs: number;
  readonly isConsecutive: boolean;
  readonly isOnlyReturned?: boolean;
};

const hourMs = 60 * 60_000;

/** So many without a wait, then these waits, of which the last stands for all further attempts. */
const slowAfter = (free: number, waitsMs: readonly number[], forgetMs: number): AttemptLimit => ({
  waitsMs: [...Array<number>(free - 1).fill(0), ...waitsMs],
  forgetMs,
  isConsecutive: true,
});

/**
 * The longest wait is one of seconds: a right password waits as long as a wrong one, and it must
 * not be locked out. docs/decisions/0050 has how many guesses that leaves.
 */
const guessWaitsMs = [1_000, 2_000, 4_000];

/** Wrong passwords in a row with one device token or in one session, which only its owner holds. */
export const guessLimit = slowAfter(5, guessWaitsMs, hourMs);
/** Wrong passwords against one account from one network. */
export const pairLimit = { ...slowAfter(5, guessWaitsMs, 24 * hourMs), isOnlyReturned: true };
/**
 * Against one account, the first wrong passwords of each network: a network that made no guess in a
 * day is admitted while others guess, up to three times.
 */
export const firstTries = 3;
export const firstTriesLimit = { ...slowAfter(5, [500], hourMs), isOnlyReturned: true };
/** Further wrong passwords against one account from everywhere. */
export const accountLimit = { ...slowAfter(5, guessWaitsMs, hourMs), isOnlyReturned: true };
/** Wrong passwords against one account with any of its device tokens. */
export const devicesLimit = { ...slowAfter(20, guessWaitsMs, hourMs), isOnlyReturned: true };
/** Wrong passwords, or wrong codes, from one network: an office behind one address stays below. */
export const sourceLimit = { ...slowAfter(100, [1_000], 10 * 60_000), isOnlyReturned: true };
/** Accounts opened from one network. */
export const signUpLimit: AttemptLimit = {
  ...slowAfter(100, [30_000], hourMs),
  isConsecutive: false,
};

/** So many within a time, and nothing more for as long. */
function limitTo(count: number, forgetMs: number): AttemptLimit {
  const waitsMs = Array.from({ length: count }, (_, i) => (i + 1 < count ? 0 : forgetMs));
  return { waitsMs, forgetMs, isConsecutive: false };
}

/** Mails about sign-ups that one address gets. */
export const signUpMailLimit = limitTo(3, hourMs);
/** Right passwords that take their attempts back; further ones count like wrong ones. */
export const accountSuccessLimit = limitTo(300, hourMs);
export const sourceSuccessLimit = limitTo(3_000, hourMs);
/** New refresh tokens of one session: clients need one in 15 minutes. */
export const refreshLimit = slowAfter(100, [60_000], hourMs);

/** What a mailed code is for. */
export type CodePurpose = 'sign-up' | 'password-reset' | 'email-change';

export const codeLifeMs: Readonly<Record<CodePurpose, number>> = {
  'sign-up': 24 * 60 * 60_000,
  'password-reset': 30 * 60_000,
  'email-change': 30 * 60_000,
};

/** Requests for a code, from one network. */
export const resetRequestLimit = limitTo(100, 60 * 60_000);
/**
 * Mails with a code to one address. They pause for as long as a code lives: an owner whose mails
 * were used up by others has a code that works.
 */
export const resetMailLimit = limitTo(3, codeLifeMs['password-reset']);
export const changeMailLimit = limitTo(3, codeLifeMs['email-change']);
/** Changes of address that one user asks for. */
export const changeRequestLimit = limitTo(10, 60 * 60_000);
/** Addresses that one user finds no recipient at, and addresses at which they find one. */
export const recipientMissLimit = limitTo(20, hourMs);
export const recipientHitLimit = limitTo(200, hourMs);
/** Mails of one kind that report to one address what happened to its account. */
export const noticeLimit = limitTo(5, 60 * 60_000);

const maxMailRetryMs = 10 * 60_000;
/** Longer than any delay of a mail: what is due later was written by a clock that was ahead. */
export const maxMailDelayMs = 2 * maxMailRetryMs;
/** A mail that could not be sent for so long is given up. */
export const maxMailAgeMs = 24 * 60 * 60_000;

/** How long a mail waits after its nth try: 2 s, doubling up to 10 minutes. */
export function mailDelayMs(attempt: number): number {
  return Math.min(maxMailRetryMs, 1_000 * 2 ** Math.min(attempt, 20));
}

/** Without I, L, O and U, which are misread (Crockford's base 32). */
const codeAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 15 random bytes as six groups of four: `7K3M-…`. */
export function formatCode(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => codeAlphabet[parseInt(five, 2)]);
  return (letters.join('').match(/.{4}/g) ?? []).join('-');
}

/** A code as people type it, in the one form that is compared; undefined if it cannot be one. */
export function canonicalizeCode(text: string): string | undefined {
  if (text.length > 100) return undefined;
  const letters = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  return /^[0-9A-HJKMNP-TV-Z]{24}$/.test(letters)
    ? (letters.match(/.{4}/g) ?? []).join('-')
    : undefined;
}
