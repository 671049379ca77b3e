import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

import { calculateJwkThumbprint, SignJWT } from 'jose';

import { tokenRules } from '../platform/tokens.ts';
import { accessTokenLifeMs, type User } from './domain.ts';

export type SigningKeys = {
  /** The public keys, as a JSON Web Key Set. */
  readonly jwksJson: string;
  signAccessToken(
    user: User,
    sessionId: string,
    times: { readonly nowMs: number; readonly sessionExpiresAtMs: number },
  ): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  /** The one successor of a refresh token: the same token always gives the same. */
  deriveSuccessor(refreshToken: string): string;
  /** 32 bytes for one purpose; another signing key gives others. */
  deriveSecret(purpose: string): Buffer;
};

/** A new Ed25519 private key, PKCS #8 in PEM. */
export function generateSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Reads an Ed25519 private key, or says what is wrong with the text. */
export async function createSigningKeys(
  pem: string,
): Promise<
  | { readonly ok: true; readonly value: SigningKeys }
  | { readonly ok: false; readonly problem: string }
> {
  try {
    const privateKey = createPrivateKey(pem);
    const type = privateKey.asymmetricKeyType ?? 'unknown';
    if (type !== 'ed25519') return { ok: false, problem: `it must be Ed25519, not ${type}` };
    return { ok: true, value: await signingKeysOf(privateKey) };
  } catch {
    return { ok: false, problem: 'it is not a private key in PKCS #8, PEM' };
  }
}

async function signingKeysOf(privateKey: KeyObject): Promise<SigningKeys> {
  const { kty, crv, x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (kty === undefined || crv === undefined || x === undefined) throw new Error('not an OKP key');
  const jwk = { kty, crv, x };
  const kid = await calculateJwkThumbprint(jwk);
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const deriveSecret = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', der, '', purpose, 32));
  const refreshSecret = deriveSecret('refresh token successor');

  return {
    jwksJson: JSON.stringify({
      keys: [{ ...jwk, kid, use: 'sig', alg: tokenRules.algorithm }],
    }),
    signAccessToken: async (user, sessionId, { nowMs, sessionExpiresAtMs }) => {
      const expiresAtMs = Math.min(nowMs + accessTokenLifeMs, sessionExpiresAtMs);
      const token = await new SignJWT({ sid: sessionId, role: user.role })
        .setProtectedHeader({ alg: tokenRules.algorithm, typ: tokenRules.type, kid })
        .setIssuer(tokenRules.issuer)
        .setAudience(tokenRules.audience)
        .setSubject(user.id)
        // With milliseconds: a token issued just after a revocation must not fall under it.
        .setIssuedAt(nowMs / 1000)
        .setExpirationTime(Math.floor(expiresAtMs / 1000))
        .sign(privateKey);
      return { token, expiresAtMs };
    },
    deriveSuccessor: (refreshToken) =>
      createHmac('sha256', refreshSecret).update(refreshToken).digest('base64url'),
    deriveSecret,
  };
}

/** 256 random bits. */
export const createRefreshToken = (): string => randomBytes(32).toString('base64url');

/** What the database keeps of a refresh token. */
export const hashRefreshToken = (token: string): Buffer =>
  createHash('sha256').update(token).digest();
