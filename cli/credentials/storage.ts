import type { Outcome } from '../outcome.ts';

export type StorageKind = 'keychain' | 'file';

/** Where secrets are kept, one text per account (`<profile>@<server>`). */
export type SecretStorage = {
  readonly kind: StorageKind;
  /** Undefined if there is none, or the keychain is locked and does not say so. */
  load(account: string): Promise<Outcome<string | undefined>>;
  save(account: string, secret: string): Promise<Outcome<undefined>>;
  remove(account: string): Promise<Outcome<undefined>>;
};

/** What is kept of a sign-in. Times are milliseconds since the epoch. */
export type StoredSecret = {
  readonly accessToken: string;
  readonly accessTokenExpiresAtMs: number | undefined;
  /** Absent for a token that was given to `sign-in --with-token`. */
  readonly refreshToken: string | undefined;
  readonly sessionExpiresAtMs: number | undefined;
};

export function encodeSecret(secret: StoredSecret): string {
  return JSON.stringify({ version: 1, ...secret });
}

/** Undefined if the text is not one that `encodeSecret` wrote. */
export function decodeSecret(text: string): StoredSecret | undefined {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, accessToken, refreshToken } = value;
  if (version !== 1 || typeof accessToken !== 'string') return undefined;
  const timeOf = (time: unknown): number | undefined =>
    typeof time === 'number' ? time : undefined;
  return {
    accessToken,
    accessTokenExpiresAtMs: timeOf(value['accessTokenExpiresAtMs']),
    refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined,
    sessionExpiresAtMs: timeOf(value['sessionExpiresAtMs']),
  };
}
