import type { Role } from '../../core/roles.ts';
import type { Mint } from '../access-matrix/forgeries.ts';

export type Player = { readonly userId: string; readonly role: Role };

/** Far less than the life of a token. */
const tokenLifeMs = 60_000;
/** These get a session of their own, which no other call uses. */
const endsSessions = new Set(['auth.signOut', 'auth.revokeSession', 'auth.revokeAllCredentials']);

export const revoked = 'TOKEN_REVOKED';
/** Calls that end like this test nothing behind the authentication. */
export const maxRevokedShare = 0.2;

/**
 * A session of each caller that many calls share. A call may revoke it, and all others of its
 * caller: then `forget` has the next call sign in again.
 */
export function createTokens(mint: Mint) {
  const tokens = new Map<string, { readonly token: Promise<string>; readonly untilMs: number }>();
  return {
    of: ({ userId, role }: Player, rpc: string): Promise<string> => {
      if (endsSessions.has(rpc)) return mint.signIn(userId, role);
      const known = tokens.get(userId);
      if (known && known.untilMs > Date.now()) return known.token;
      const token = mint.signIn(userId, role);
      tokens.set(userId, { token, untilMs: Date.now() + tokenLifeMs });
      return token;
    },
    forget: async (userId: string, token: string): Promise<void> => {
      const known = tokens.get(userId);
      // Another call may have made a new one meanwhile.
      if (known && (await known.token) === token && tokens.get(userId) === known) {
        tokens.delete(userId);
      }
    },
  };
}
