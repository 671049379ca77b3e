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

import { tokenRules } from '../../platform/access/tokens.ts';
import { accessTokenLifeMs, type User } from '../domain.ts';

export type SigningKeys = {
  /** The public keys, as a JSON Web Key Set. */
  readonly jwksJson: string;
  signAccessToken(
    user: User,
    sessionId: string,
    times: { readonly nowMs: number; readonly sessionExpiresAtMs: number },
  ): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  /**
   * The successors that a refresh token may have, the first by the key that signs: the same token
   * always gives the same.
   */
  deriveSuccessors(refreshToken: string): readonly [string, ...string[]];
  /** A name for a text that does not tell the text: 128 bits in hexadecimal. */
  digestText(text: string): string;
  /** 32 bytes for one purpose; another signing key gives others. */
  deriveSecret(purpose: string): Buffer;
  /** The same, of the key that signs and then of the previous one, if there is one. */
  deriveSecrets(purpose: string): readonly [Buffer, ...Buffer[]];
};

type KeyFault = {
  readonly ok: false;
  /** Which of the two keys is no use. */
  readonly key: 'signing' | 'previous';
  readonly problem: string;
};

/** A new Ed25519 private key, PKCS #8 in PEM. */
export function generateSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * Reads Ed25519 private keys, or says what is wrong with the text. The first signs. The previous
 * one, if any, signs nothing any more; what it signed is still believed.
 */
export async function createSigningKeys(
  pem: string,
  previousPem: string | undefined,
): Promise<{ readonly ok: true; readonly value: SigningKeys } | KeyFault> {
  const current = readKey(pem, 'signing');
  if (!current.ok) return current;
  const previous = previousPem === undefined ? undefined : readKey(previousPem, 'previous');
  if (previous && !previous.ok) return previous;
  const signing = await describeKey(current.value);
  const others = previous ? [await describeKey(previous.value)] : [];
  if (others.some(({ jwk }) => jwk.kid === signing.jwk.kid)) {
    return { ok: false, key: 'previous', problem: 'it is the key that signs' };
  }
  return { ok: true, value: signingKeysOf(signing, others) };
}

function readKey(
  pem: string,
  key: KeyFault['key'],
): { readonly ok: true; readonly value: KeyObject } | KeyFault {
  try {
    const value = createPrivateKey(pem);
    const type = value.asymmetricKeyType ?? 'unknown';
    if (type === 'ed25519') return { ok: true, value };
    return { ok: false, key, problem: `it must be Ed25519, not ${type}` };
  } catch {
    return { ok: false, key, problem: 'it is not a private key in PKCS #8, PEM' };
  }
}

type DescribedKey = Awaited<ReturnType<typeof describeKey>>;

async function describeKey(privateKey: KeyObject) {
  const { kty, crv, x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (kty === undefined || crv === undefined || x === undefined) throw new Error('not an OKP key');
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const deriveSecret = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', der, '', purpose, 32));
  return {
    privateKey,
    jwk: { kty, crv, x, kid, use: 'sig', alg: tokenRules.algorithm },
    refreshSecret: deriveSecret('refresh token successor'),
    digestSecret: deriveSecret('digest of a text'),
    deriveSecret,
  };
}

function signingKeysOf(signing: DescribedKey, others: readonly DescribedKey[]): SigningKeys {
  const deriveWith = ({ refreshSecret }: DescribedKey, refreshToken: string): string =>
    createHmac('sha256', refreshSecret).update(refreshToken).digest('base64url');
  const { alg, kid } = signing.jwk;
  return {
    jwksJson: JSON.stringify({ keys: [signing, ...others].map(({ jwk }) => jwk) }),
    signAccessToken: async (user, sessionId, { nowMs, sessionExpiresAtMs }) => {
      const expiresAtMs = Math.min(nowMs + accessTokenLifeMs, sessionExpiresAtMs);
      // RFC 8176: with a second factor, every living session of the user was opened with it.
      const amr = user.hasTotp ? tokenRules.methodsWithTotp : tokenRules.methods;
      const token = await new SignJWT({
        sid: sessionId,
        role: user.role,
        amr,
        gen: user.tokenGeneration,
      })
        .setProtectedHeader({ alg, typ: tokenRules.type, kid })
        .setIssuer(tokenRules.issuer)
        .setAudience(tokenRules.audience)
        .setSubject(user.id)
        .setIssuedAt(nowMs / 1000)
        .setExpirationTime(Math.floor(expiresAtMs / 1000))
        .sign(signing.privateKey);
      return { token, expiresAtMs };
    },
    deriveSuccessors: (token) => [
      deriveWith(signing, token),
      ...others.map((key) => deriveWith(key, token)),
    ],
    digestText: (text) =>
      createHmac('sha256', signing.digestSecret).update(text).digest('hex').slice(0, 32),
    deriveSecret: signing.deriveSecret,
    deriveSecrets: (purpose) => [
      signing.deriveSecret(purpose),
      ...others.map((key) => key.deriveSecret(purpose)),
    ],
  };
}

/** 256 random bits. */
export const createRefreshToken = (): string => randomBytes(32).toString('base64url');

/** What the database keeps of a refresh token. */
export const hashRefreshToken = (token: string): Buffer =>
  createHash('sha256').update(token).digest();

/** Begins the tokens of browser sessions, for scanners of leaked secrets; no other token has it. */
const browserTokenPrefix = 'dws_';

/** 256 random bits after the prefix. */
export const createBrowserToken = (): string =>
  `${browserTokenPrefix}${randomBytes(32).toString('base64url')}`;

export const isBrowserToken = (credential: string): boolean =>
  credential.startsWith(browserTokenPrefix);

/** What the database keeps of a browser token; undefined for a text that cannot be one. */
export const hashBrowserToken = (token: string): Buffer | undefined =>
  /^dws_[\w-]{43}$/.test(token) ? createHash('sha256').update(token).digest() : undefined;
