/** What the contra account of a purchase begins with where the merchant is named. */
export const merchantPrefix = 'merchant:';

/** The merchant that a contra account names; undefined if it names none. */
export function merchantOf(contraAccount: string): string | undefined {
  if (!contraAccount.startsWith(merchantPrefix)) return undefined;
  const name = contraAccount.slice(merchantPrefix.length);
  return name === '' ? undefined : name;
}

const userPrefix = 'user:';

/** The contra account of a movement between two users' wallets. */
export const accountOfUser = (userId: string): string => userPrefix + userId;

/** The user whose wallet in the same currency is the contra account; undefined if it is none. */
export const userOfAccount = (contraAccount: string): string | undefined =>
  contraAccount.startsWith(userPrefix) ? contraAccount.slice(userPrefix.length) : undefined;

/** The account outside through which deposits come and withdrawals go, where none is named. */
export const defaultVia = 'cash';
/** The one that the operation `fee` pays into. */
export const feesVia = 'fees';
export const externalPrefix = 'external:';

const viaPattern = /^[a-z0-9._-]{1,40}$/;

/**
 * Why a text names no account outside, or undefined if it names one: the bank account, payment
 * provider or till through which a deposit comes and a withdrawal goes.
 */
export function findViaProblem(via: string): string | undefined {
  if (via === feesVia) return 'is the account of fees, which only the operation fee pays into';
  return viaPattern.test(via)
    ? undefined
    : 'must be 1 to 40 characters of a-z, 0-9, dot, hyphen and underscore';
}

/** The account outside that a contra account names; undefined if it names none. */
export const viaOf = (contraAccount: string): string | undefined =>
  contraAccount.startsWith(externalPrefix) ? contraAccount.slice(externalPrefix.length) : undefined;
