import type { Outcome } from '../outcome.ts';
import type { Room } from '../files/files.ts';

export type StorageKind = 'keychain' | 'file';

/** Where secrets are kept, one text per account (`<profile>@<server>`). */
export type SecretStorage = {
  readonly kind: StorageKind;
  /** Undefined if there is none, or the keychain is locked and does not say so. */
  load(account: string): Promise<Outcome<string | undefined>>;
  save(account: string, secret: string): Promise<Outcome<undefined>>;
  /**
   * Makes sure that a secret in place of `current` can be saved, before that is spent to get it.
   */
  reserve(account: string, current: string | undefined): Promise<Outcome<Room>>;
  remove(account: string): Promise<Outcome<undefined>>;
};

/** The tokens of a sign-in. Times are milliseconds since the epoch. */
export type StoredSecret = {
  readonly accessToken: string;
  readonly accessTokenExpiresAtMs: number | undefined;
  /** Absent for a token that was given to `sign-in --with-token`. */
  readonly refreshToken: string | undefined;
  readonly sessionExpiresAtMs: number | undefined;
};
