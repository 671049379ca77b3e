import { generateKeyPairSync } from 'node:crypto';

import {
  base64url,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JSONWebKeySet,
  type JWTPayload,
} from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';

import { createTokenVerifier, tokenRules, type TokenVerifier } from './tokens.ts';

const kid = 'key-1';
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const sessionId = '6f1c3f3e-0000-4000-8000-000000000002';
const startMs = Date.UTC(2026, 10, 22, 12);
const ours = await generateKeyPair('EdDSA', { extractable: true });
const theirs = await generateKeyPair('EdDSA', { extractable: true });

const claims: JWTPayload = {
  iss: tokenRules.issuer,
  aud: tokenRules.audience,
  sub: userId,
  sid: sessionId,
  role: 'customer',
  iat: startMs / 1000,
  exp: startMs / 1000 + 900,
};

let nowMs = startMs;
let fetches = 0;
let keySet: () => Promise<JSONWebKeySet> = () => Promise.reject(new Error('not set'));
let verifier: TokenVerifier;

const publish = async (id: string, key: CryptoKey): Promise<JSONWebKeySet> => ({
  keys: [{ ...(await exportJWK(key)), kid: id, use: 'sig', alg: tokenRules.algorithm }],
});

beforeEach(() => {
  nowMs = startMs;
  fetches = 0;
  keySet = () => publish(kid, ours.publicKey);
  verifier = createTokenVerifier({
    fetchJwks: () => {
      fetches += 1;
      return keySet();
    },
    nowMs: () => nowMs,
  });
});

/** A token like our own, with other claims (undefined leaves one out), header or key. */
function sign(
  change: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
  key: CryptoKey | Uint8Array = ours.privateKey,
): Promise<string> {
  const payload = Object.entries({ ...claims, ...change }).filter(([, v]) => v !== undefined);
  return new SignJWT(Object.fromEntries(payload))
    .setProtectedHeader({ alg: tokenRules.algorithm, typ: tokenRules.type, kid, ...header })
    .sign(key);
}

async function expectReason(token: string, reason: string): Promise<void> {
  expect(await verifier.verify(token)).toMatchObject({ ok: false, rejection: { reason } });
}

it('a valid token gives the user, the role, the session and the time of expiry', async () => {
  expect(await verifier.verify(await sign())).toEqual({
    ok: true,
    value: {
      userId,
      role: 'customer',
      sessionId,
      issuedAtMs: startMs,
      expiresAtMs: startMs + 900_000,
      hasTotp: false,
      generation: 0,
    },
  });
});

it.each([
  [['pwd', 'otp'], true],
  [['pwd'], false],
  ['otp', false],
  [{ otp: true }, false],
  [undefined, false],
])('a token with the amr %j has a second factor: %j', async (amr, hasTotp) => {
  expect(await verifier.verify(await sign({ ...claims, amr }))).toMatchObject({
    ok: true,
    value: { hasTotp },
  });
});

describe('forged tokens', () => {
  it('a token with alg none is refused', async () => {
    await expectReason(new UnsecuredJWT(claims).encode(), 'TOKEN_INVALID');
    const [header, payload] = [{ alg: 'none', typ: tokenRules.type, kid }, claims].map((part) =>
      base64url.encode(JSON.stringify(part)),
    );
    await expectReason(`${header}.${payload}.`, 'TOKEN_INVALID');
  });

  it('a token signed by HS256 with our public key as the secret is refused', async () => {
    const { x = '' } = await exportJWK(ours.publicKey);
    const secrets = [Buffer.from(await exportSPKI(ours.publicKey)), base64url.decode(x)];
    for (const secret of secrets) {
      await expectReason(await sign({}, { alg: 'HS256' }, secret), 'TOKEN_INVALID');
    }
  });

  it('a token of another algorithm is refused even if its key is published', async () => {
    const rsa = await generateKeyPair('RS256');
    keySet = async () => ({ keys: [{ ...(await exportJWK(rsa.publicKey)), kid }] });
    await expectReason(await sign({}, { alg: 'RS256' }, rsa.privateKey), 'TOKEN_INVALID');
  });

  it('a token signed by another key under the same kid is refused', async () => {
    await expectReason(await sign({}, {}, theirs.privateKey), 'TOKEN_INVALID');
  });

  it('a key in the header of a token, or a URL of one, is ignored', async () => {
    const jwk = await exportJWK(theirs.publicKey);
    const jku = 'https://attacker.example/jwks.json';
    for (const header of [{ jwk }, { jku }, { jwk, jku, x5u: jku, kid: 'theirs' }]) {
      await expectReason(await sign({}, header, theirs.privateKey), 'TOKEN_INVALID');
    }
    expect(await verifier.verify(await sign({}, { jwk, jku }))).toMatchObject({ ok: true });
  });

  it.each([
    '../../../../dev/null',
    '/etc/passwd',
    "' OR '1'='1",
    "x'; DROP TABLE users; --",
    '__proto__',
    '',
    'k'.repeat(10_000),
  ])('a token with the kid $0 is refused', async (forged) => {
    const token = await sign({}, { kid: forged }, theirs.privateKey);
    await expectReason(token, 'TOKEN_INVALID');
    if (forged !== '') await expectReason(await sign({}, { kid: forged }), 'TOKEN_INVALID');
  });

  it('a token that was changed anywhere is refused', async () => {
    const token = await sign();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const admin = base64url.encode(JSON.stringify({ ...claims, role: 'admin' }));
    const changed = [`${header}.${admin}.${signature}`, `${header}.${payload}.${header}`];
    for (const length of [0, 1, 10, header.length, token.length - 2, token.length - 1]) {
      changed.push(token.slice(0, length));
    }
    changed.push(`${token}A`, `${token}.${signature}`, ` ${token}`, token.toUpperCase());
    for (const text of changed) await expectReason(text, 'TOKEN_INVALID');
  });

  it.each(['', '.', '..', '...', 'a.b.c', 'null', '{}', 'é.é.é', '\0', 'x'.repeat(100_000)])(
    'a text that is no token is refused: $0',
    async (text) => expectReason(text, 'TOKEN_INVALID'),
  );

  it('a refresh token, which is random text, is no access token', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const random = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64url');
    await expectReason(random, 'TOKEN_INVALID');
  });
});

describe('claims', () => {
  it.each([
    ['iss', 'someone-else'],
    ['aud', 'another-service'],
    ['aud', []],
    ['sub', 'root'],
    ['sub', userId.toUpperCase()],
    ['sid', 'x'],
    ['sid', 7],
    ['role', 'root'],
    ['role', 'Admin'],
    ['role', ['admin']],
    ['exp', 'never'],
    ['iat', 'now'],
    ['nbf', startMs / 1000 + 60],
  ])('a token with the claim %s = %j is refused', async (name, value) => {
    await expectReason(await sign({ [name]: value }), 'TOKEN_INVALID');
  });

  it.each(['iss', 'aud', 'sub', 'sid', 'role', 'iat', 'exp'])(
    'a token without the claim %s is refused',
    async (name) => {
      await expectReason(await sign({ [name]: undefined }), 'TOKEN_INVALID');
    },
  );

  it.each([undefined, 'JWT', 'rt+jwt'])('a token with the typ %s is refused', async (typ) => {
    await expectReason(await sign({}, { typ }), 'TOKEN_INVALID');
  });
});

describe('the end of a token', () => {
  it('an expired token has another reason than a forged one', async () => {
    await expectReason(await sign({ exp: startMs / 1000 }), 'TOKEN_EXPIRED');
    await expectReason(await sign({ exp: startMs / 1000 - 3_600 }), 'TOKEN_EXPIRED');
    const forged = await sign({ exp: startMs / 1000 - 1 }, {}, theirs.privateKey);
    await expectReason(forged, 'TOKEN_INVALID');
  });

  it('the expiry of a token also ends its cached verdict, to the second', async () => {
    const token = await sign();
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
    nowMs = startMs + 899_999;
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
    nowMs = startMs + 900_000;
    await expectReason(token, 'TOKEN_EXPIRED');
  });
});

describe('keys', () => {
  it('keys are fetched once for all tokens', async () => {
    for (const role of ['customer', 'operator', 'admin']) {
      expect(await verifier.verify(await sign({ role }))).toMatchObject({ ok: true });
    }
    expect(fetches).toBe(1);
  });

  it('keys are fetched again for a new kid, so that they can rotate', async () => {
    await verifier.verify(await sign());
    keySet = () => publish('key-2', theirs.publicKey);
    nowMs += 6_000;
    const rotated = await sign({}, { kid: 'key-2' }, theirs.privateKey);
    expect(await verifier.verify(rotated)).toMatchObject({ ok: true });
  });

  it('keys withdrawn while a token is checked are not trusted after that check', async () => {
    await verifier.verify(await sign());
    const token = await sign({ sid: userId });
    keySet = () => publish('key-2', theirs.publicKey);
    nowMs += 61_000;
    await verifier.verify(token);
    expect(await verifier.verify(token)).toMatchObject({
      ok: false,
      rejection: { reason: 'TOKEN_INVALID' },
    });
  });

  it('keys are not fetched for every unknown kid: forged tokens cause no load', async () => {
    await verifier.verify(await sign());
    nowMs += 6_000;
    for (let i = 0; i < 20; i += 1) await verifier.verify(await sign({}, { kid: `unknown-${i}` }));
    expect(fetches).toBe(2);
  });

  it('while keys cannot be fetched no token is invalid, and the fetch is retried', async () => {
    const token = await sign();
    keySet = () => Promise.reject(new Error('14 UNAVAILABLE'));
    await expectReason(token, 'AUTH_UNAVAILABLE');
    keySet = () => publish(kid, ours.publicKey);
    expect(await verifier.verify(token)).toMatchObject({ ok: true });
  });
});
