import type { Role } from '../../../core/roles.ts';

/** What exports need to know of a user. */
export type KnownUser = {
  readonly email: string;
  readonly role: Role;
  readonly isEmailVerified: boolean;
  readonly isDisabled: boolean;
};

/** Asks the auth service; undefined if there is no such user. Rejects if it is unavailable. */
export type FindUser = (userId: string) => Promise<KnownUser | undefined>;
