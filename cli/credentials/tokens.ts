import type { TokenSet } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { parseJsonObject } from '../files/files.ts';
import type { StoredSecret } from './storage.ts';

/** What to store of the tokens that a sign-in or a refresh brought. */
export function secretOfTokens(tokens: TokenSet): StoredSecret {
  return {
    accessToken: tokens.accessToken,
    accessTokenExpiresAtMs: tokens.accessTokenExpiresAt?.getTime(),
    refreshToken: tokens.refreshToken === '' ? undefined : tokens.refreshToken,
    sessionExpiresAtMs: tokens.sessionExpiresAt?.getTime(),
  };
}

/**
 * The user id inside an access token, unverified: good enough to tell one caller's commands from
 * another's, never to decide what one may do. Undefined for an API key, which says nothing.
 */
export function readSubject(token: string): string | undefined {
  return readClaim(token, 'sub');
}

/** The session that an access token belongs to, unverified: to mark it, and to warn of its end. */
export function readSessionId(token: string): string | undefined {
  return readClaim(token, 'sid');
}

/** API keys begin with this; access tokens never do. */
export const isApiKey = (token: string): boolean => token.startsWith('dwk_');

function readClaim(token: string, name: string): string | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  const claims = parseJsonObject(Buffer.from(payload, 'base64url').toString('utf8'));
  const claim = claims?.[name];
  return typeof claim === 'string' ? claim : undefined;
}
