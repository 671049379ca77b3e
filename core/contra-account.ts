/** What the contra account of a purchase begins with where the merchant is named. */
export const merchantPrefix = 'merchant:';

/** The merchant that a contra account names; undefined if it names none. */
export function merchantOf(contraAccount: string): string | undefined {
  if (!contraAccount.startsWith(merchantPrefix)) return undefined;
  const name = contraAccount.slice(merchantPrefix.length);
  return name === '' ? undefined : name;
}
