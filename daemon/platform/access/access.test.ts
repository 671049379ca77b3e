import { randomBytes } from 'node:crypto';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { refuse } from '../../../core/reasons.ts';
import { roles, type Role } from '../../../core/roles.ts';
import {
  createAccess,
  resolveSubject,
  type Access,
  type Policy,
  type Principal,
} from './access.ts';
import { createKeyVerifier } from './api-keys.ts';
import { createLog } from '../log.ts';
import { createRevocations, type Revocation, type Revocations } from './revocations.ts';
import { createTokenVerifier, tokenRules } from './tokens.ts';

const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const otherId = '6f1c3f3e-0000-4000-8000-00000000000f';
const sessionId = '6f1c3f3e-0000-4000-8000-000000000002';
const serviceCredential = randomBytes(32).toString('base64url');
const startMs = Date.UTC(2026, 10, 22, 12);
const { privateKey, publicKey } = await generateKeyPair('EdDSA');

let fed: Revocation[];
let revocations: Revocations;
let access: Access;
/** STAFF_TOTP of the auth service, as the feed says it. */
let isStaffTotpRequired: boolean;

beforeEach(() => {
  fed = [];
  isStaffTotpRequired = false;
  revocations = createRevocations({
    feed: () => Promise.resolve({ revocations: fed, asOfMs: startMs, isStaffTotpRequired }),
    log: createLog('silent'),
  });
  const fetchJwks = async () => ({ keys: [await exportJWK(publicKey)] });
  const tokens = createTokenVerifier({ fetchJwks, nowMs: () => startMs });
  const ask = () => Promise.resolve(refuse('TOKEN_INVALID', 'no key is known here'));
  const keys = createKeyVerifier({ ask, revocations, nowMs: () => startMs });
  const verifiers = { tokens, keys, revocations, isStaffTotpRequired: false };
  access = createAccess({ ...verifiers, serviceCredential });
});

afterEach(() => revocations.stop());

const sign = (role: Role = 'customer', issuedAtMs = startMs, gen?: number): Promise<string> =>
  new SignJWT({ sid: sessionId, role, ...(gen === undefined ? {} : { gen }) })
    .setProtectedHeader({ alg: tokenRules.algorithm, typ: tokenRules.type })
    .setIssuer(tokenRules.issuer)
    .setAudience(tokenRules.audience)
    .setSubject(userId)
    .setIssuedAt(issuedAtMs / 1000)
    .setExpirationTime(startMs / 1000 + 900)
    .sign(privateKey);

const staff: Exclude<Policy, 'public'> = { roles: ['operator', 'admin'] };
const allCallers: Exclude<Policy, 'public'> = { roles, service: true };

async function reasonOf(authorization: string | undefined, policy: Policy = allCallers) {
  const result = await access.authorize(authorization, policy);
  return result.ok ? 'ok' : result.rejection.reason;
}

describe('policies', () => {
  beforeEach(() => revocations.start());

  it('each policy admits the callers that it names and refuses all others', async () => {
    const policies: Exclude<Policy, 'public'>[] = [
      ...roles.map((role) => ({ roles: [role] })),
      { roles: [], service: true },
      staff,
      { roles: ['customer'], service: true },
      allCallers,
      { roles: [] },
    ];
    const callers = [
      ...(await Promise.all(roles.map(async (role) => [role, `Bearer ${await sign(role)}`]))),
      ['service', `Service ${serviceCredential}`],
    ] as [Role | 'service', string][];
    for (const policy of policies) {
      for (const [caller, authorization] of callers) {
        const isNamed = caller === 'service' ? policy.service : policy.roles.includes(caller);
        const expected = isNamed ? 'ok' : 'PERMISSION_DENIED';
        expect([policy, caller, await reasonOf(authorization, policy)]).toEqual([
          policy,
          caller,
          expected,
        ]);
      }
      expect(await reasonOf(undefined, policy)).toBe('CREDENTIALS_MISSING');
    }
  });

  it('authorize returns the identity of the caller', async () => {
    expect(await access.authorize(`Bearer ${await sign('operator')}`, staff)).toEqual({
      ok: true,
      value: { kind: 'user', userId, role: 'operator', sessionId, apiKey: undefined },
    });
    expect(await access.authorize(`Service ${serviceCredential}`, allCallers)).toEqual({
      ok: true,
      value: { kind: 'service' },
    });
  });

  it('a public method needs no credential, and a credential gives no rights there', async () => {
    for (const authorization of [undefined, 'Bearer rubbish', `Service ${serviceCredential}`]) {
      expect(await access.authorize(authorization, 'public')).toEqual({
        ok: true,
        value: { kind: 'anonymous' },
      });
    }
  });
});

describe('credentials', () => {
  beforeEach(() => revocations.start());

  it.each([
    ['', 'an empty one'],
    ['Bearer', 'a scheme alone'],
    ['Bearer ', 'an empty token'],
    ['Bearer null', 'a token that is none'],
    ['Basic YTpi', 'another scheme'],
    ['Service', 'no secret'],
    ['Service ', 'an empty secret'],
    [`Service ${serviceCredential.slice(0, -1)}`, 'a secret cut short'],
    [`Service ${serviceCredential}x`, 'a secret made longer'],
    [`Bearer ${serviceCredential}`, 'the service’s secret as a user’s token'],
  ])('a malformed or wrong credential is refused with TOKEN_INVALID: $1', async (authorization) => {
    expect(await reasonOf(authorization)).toBe('TOKEN_INVALID');
  });

  it('a user’s token is no service credential', async () => {
    expect(await reasonOf(`Service ${await sign('admin')}`)).toBe('TOKEN_INVALID');
  });

  it('the scheme bearer is accepted in lower case', async () => {
    expect(await reasonOf(`bearer ${await sign()}`)).toBe('ok');
  });

  it('a refused credential is not repeated in the answer', async () => {
    const token = await sign();
    const result = await access.authorize(`Bearer ${token.slice(0, -4)}`, allCallers);
    expect(JSON.stringify(result)).not.toContain(token.slice(0, 20));
  });
});

describe('revocation', () => {
  const revoke = (kind: 'session' | 'user', id: string, revokedAtMs = startMs) =>
    revocations.apply({ kind, id, revokedAtMs });

  it('revoking a session ends its token at once, even if its verdict was cached', async () => {
    await revocations.start();
    const token = await sign();
    expect(await reasonOf(`Bearer ${token}`)).toBe('ok');
    revoke('session', sessionId);
    expect(await reasonOf(`Bearer ${token}`)).toBe('TOKEN_REVOKED');
    expect(await access.validateToken(token)).toMatchObject({
      rejection: { reason: 'TOKEN_REVOKED' },
    });
  });

  it('revoking another session or user leaves the token valid', async () => {
    await revocations.start();
    revoke('session', otherId);
    revoke('user', otherId);
    revoke('session', userId);
    expect(await reasonOf(`Bearer ${await sign()}`)).toBe('ok');
  });

  it('revoking a user ends tokens issued until that millisecond, and none later', async () => {
    await revocations.start();
    revoke('user', userId, startMs + 500);
    expect(await reasonOf(`Bearer ${await sign('customer', startMs)}`)).toBe('TOKEN_REVOKED');
    expect(await reasonOf(`Bearer ${await sign('customer', startMs + 499)}`)).toBe('TOKEN_REVOKED');
    expect(await reasonOf(`Bearer ${await sign('customer', startMs + 500)}`)).toBe('TOKEN_REVOKED');
    expect(await reasonOf(`Bearer ${await sign('customer', startMs + 501)}`)).toBe('ok');
  });

  it.each([
    [500, 100],
    [100, 500],
  ])('of two revocations of a user, %d and then %d ms, the later counts', async (...atMs) => {
    await revocations.start();
    for (const ms of atMs) revoke('user', userId, startMs + ms);
    expect(await reasonOf(`Bearer ${await sign('customer', startMs + 300)}`)).toBe('TOKEN_REVOKED');
    expect(await reasonOf(`Bearer ${await sign('customer', startMs + 501)}`)).toBe('ok');
  });

  const dayMs = 86_400_000;

  it.each([dayMs, 0, -dayMs])(
    'a revocation of a user applies by generation, even if the clock is off by %d ms',
    async (offMs) => {
      await revocations.start();
      const revokedAtMs = startMs + offMs;
      revocations.apply({ kind: 'user', id: userId, revokedAtMs, generation: 7 });
      revocations.apply({ kind: 'user', id: userId, revokedAtMs, generation: 5 });
      expect(await reasonOf(`Bearer ${await sign()}`)).toBe('TOKEN_REVOKED');
      expect(await reasonOf(`Bearer ${await sign('customer', startMs + 9, 6)}`)).toBe(
        'TOKEN_REVOKED',
      );
      expect(await reasonOf(`Bearer ${await sign('customer', startMs, 7)}`)).toBe('ok');
    },
  );

  it('a revocation is remembered when the clock jumps ahead by a day', async () => {
    let asOfMs = startMs - dayMs;
    let isHeard = false;
    const jumping = createRevocations({
      feed: () => {
        const answer = { revocations: isHeard ? [] : fed, asOfMs, isStaffTotpRequired: false };
        isHeard = true;
        return Promise.resolve(answer);
      },
      log: createLog('silent'),
    });
    fed = [{ kind: 'session', id: sessionId, revokedAtMs: asOfMs }];
    await jumping.start();
    asOfMs = startMs;
    while (jumping.nowMs() < startMs) await new Promise((resolve) => setTimeout(resolve, 50));
    jumping.stop();
    expect(jumping.isRevoked({ userId, sessionId, issuedAtMs: startMs, generation: 0 })).toBe(true);
  });

  it('revocations come from the feed', async () => {
    fed = [{ kind: 'session', id: sessionId, revokedAtMs: startMs }];
    await revocations.start();
    expect(await reasonOf(`Bearer ${await sign()}`)).toBe('TOKEN_REVOKED');
  });
});

describe('without a fresh feed', () => {
  it('without a fresh feed users are refused, since a revocation could be missing', async () => {
    expect(await reasonOf(`Bearer ${await sign()}`)).toBe('AUTH_UNAVAILABLE');
    expect(await access.validateToken(await sign())).toMatchObject({
      rejection: { reason: 'AUTH_UNAVAILABLE' },
    });
  });

  it('without a fresh feed services are admitted, and forged tokens are invalid', async () => {
    expect(await reasonOf(`Service ${serviceCredential}`)).toBe('ok');
    expect(await reasonOf('Bearer forged')).toBe('TOKEN_INVALID');
  });

  it('a feed that fails is not fresh', async () => {
    const failing = createRevocations({
      feed: () => Promise.reject(new Error('auth is unavailable')),
      log: createLog('silent'),
    });
    await failing.start();
    failing.stop();
    expect(failing.isFresh()).toBe(false);
  });
});

describe('resolveSubject', () => {
  const user = (role: Role): Principal => ({
    kind: 'user',
    userId,
    role,
    sessionId,
    apiKey: undefined,
  });

  it('a request of a customer always refers to that customer', () => {
    for (const named of ['', userId]) {
      expect(resolveSubject(user('customer'), named)).toEqual({ ok: true, value: userId });
    }
  });

  it('another user named by a customer is refused with USER_NOT_FOUND', () => {
    expect(resolveSubject(user('customer'), otherId)).toMatchObject({
      rejection: { reason: 'USER_NOT_FOUND', metadata: { userId: otherId } },
    });
  });

  it.each([user('operator'), user('admin'), { kind: 'service' } as const])(
    '%j must name the user: a request without one is refused with USER_REQUIRED',
    (principal) => {
      expect(resolveSubject(principal, `${otherId} `)).toEqual({ ok: true, value: otherId });
      expect(resolveSubject(principal, '')).toMatchObject({
        rejection: { reason: 'USER_REQUIRED' },
      });
    },
  );

  it.each(['1', `${userId}1`, "' OR 1=1"])('%j is no user id', (named) => {
    for (const role of roles) {
      expect(resolveSubject(user(role), named)).toMatchObject({
        rejection: { reason: 'INVALID_ARGUMENT' },
      });
    }
  });
});
