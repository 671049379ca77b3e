import { z } from 'zod';

import { roles, type Role } from '../../../core/roles.ts';
import type { TokenSet, User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { time, uuid } from '../http/fields.ts';

/** Shapes of accounts and sessions (docs/cli.md, "JSON") that several routes share. */

export const role = z.enum(roles as readonly [Role, ...Role[]]).meta({ example: 'customer' });

export const email = z.string().max(320).meta({ example: 'ana@example.com' });

export const password = z.string().max(4_096).meta({ format: 'password' });

export const newPassword = password.meta({
  format: 'password',
  description: 'At least 12 characters',
});

export const totpCode = z.string().max(64).optional().meta({
  description: 'Of the second factor, where the user has one: six digits, or a recovery code',
});

export const user = z.object({
  id: uuid,
  email: z.string(),
  role,
  disabled: z.boolean(),
  emailVerified: z.boolean(),
  createdAt: time,
  totpEnabled: z.boolean().meta({ description: 'Sign-in needs a code besides the password' }),
});

export const userExample = {
  id: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  email: 'ana@example.com',
  role: 'customer',
  disabled: false,
  emailVerified: true,
  createdAt: '2026-11-22T21:42:10.123Z',
  totpEnabled: false,
};

export const tokens = z.object({
  accessToken: z.string().meta({ description: 'For the header `Authorization: Bearer …`' }),
  accessTokenExpiresAt: time,
  refreshToken: z.string().meta({ description: 'For one refresh: the answer has its successor' }),
  sessionExpiresAt: time,
  sessionId: uuid,
});

export const tokensExample = {
  accessToken: 'eyJhbGciOiJFZERTQSJ9…',
  accessTokenExpiresAt: '2026-11-22T21:57:10.000Z',
  refreshToken: 'dwr_…',
  sessionExpiresAt: '2026-12-22T21:42:10.000Z',
  sessionId: '2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21',
};

/** Throws where a service answers without what its answer always has. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the answer has no ${what}`);
  return value;
}

export const userOf = ({ user: found }: { readonly user?: User | undefined }): User =>
  present(found, 'user');

export function toTokensJson(answer: { readonly tokens?: TokenSet | undefined }): object {
  const set = present(answer.tokens, 'tokens');
  return {
    accessToken: set.accessToken,
    accessTokenExpiresAt: set.accessTokenExpiresAt?.toISOString(),
    refreshToken: set.refreshToken,
    sessionExpiresAt: set.sessionExpiresAt?.toISOString(),
    sessionId: set.sessionId,
  };
}
