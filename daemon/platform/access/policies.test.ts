import { describe, expect, it } from 'vitest';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { roles, type Role } from '../../../core/roles.ts';
import { apiKeyScopes, type ApiKeyScope } from '../../../core/scopes.ts';
import {
  checkPolicy,
  checkWalletOfKey,
  createAccess,
  deny,
  lacksRequiredTotp,
  resolveSubject,
  type Policy,
  type UserPrincipal,
} from './access.ts';
import type { VerifiedKey } from './api-keys.ts';
import type { VerifiedToken } from './tokens.ts';

const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const key: VerifiedKey = {
  ...{ keyId: 'k', userId, role: 'operator', walletId: undefined, operations: [] },
  ...{ scopes: ['wallets:read'], expiresAtMs: 1, hasOwnerTotp: false },
};
const token: VerifiedToken = {
  ...{ userId, role: 'operator', sessionId: 's', issuedAtMs: 0, expiresAtMs: 1 },
  ...{ hasTotp: false, generation: 0 },
};
const userOf = (role: Role, change: Partial<UserPrincipal> = {}): UserPrincipal => ({
  ...{ kind: 'user', userId, role, sessionId: 's', apiKey: undefined },
  ...change,
});

const all: Exclude<Policy, 'public'> = { roles };
const reasonOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.rejection.reason);

/** Access before a credential that is known, and what the feed of revocations says. */
function create(
  change: {
    readonly token?: Partial<VerifiedToken>;
    readonly key?: Partial<VerifiedKey>;
    readonly keyRefusal?: Result<never>;
    readonly isFresh?: boolean;
    readonly isRevoked?: boolean;
    readonly revokedKeyId?: string;
    readonly isTotpRequiredHere?: boolean;
    readonly isTotpRequiredByAuth?: boolean;
  } = {},
) {
  const asked: (string | undefined)[] = [];
  const recalled = { ...token, ...change.token };
  const access = createAccess({
    serviceCredential: 'ours',
    isStaffTotpRequired: change.isTotpRequiredHere ?? false,
    tokens: {
      recall: (text) => (text === 'known' ? recalled : undefined),
      verify: (text) =>
        Promise.resolve(
          text === 'known' ? succeed(recalled) : refuse('TOKEN_INVALID', 'it is unknown'),
        ),
    },
    keys: {
      verify: (_secret, source) => {
        asked.push(source);
        return Promise.resolve(change.keyRefusal ?? succeed({ ...key, ...change.key }));
      },
    },
    revocations: {
      isFresh: () => change.isFresh ?? true,
      isRevoked: () => change.isRevoked ?? false,
      isKeyRevoked: (keyId: string) => keyId === change.revokedKeyId,
      isStaffTotpRequired: () => change.isTotpRequiredByAuth ?? false,
    } as never,
  });
  return { access, asked };
}

describe('API keys', () => {
  const authorization = 'Bearer dwk_secret';
  const withKey = (scopes: readonly ApiKeyScope[]) =>
    userOf('operator', { apiKey: { ...key, scopes } });

  it.each(apiKeyScopes)('a method for the scope %s takes keys that have it', (scope) => {
    const policy: Policy = { ...all, scope };
    expect(reasonOf(checkPolicy(withKey([scope]), policy))).toBe('ok');
    const others = apiKeyScopes.filter((one) => one !== scope);
    expect(checkPolicy(withKey(others), policy)).toMatchObject({
      rejection: { reason: 'PERMISSION_DENIED', metadata: { scope }, isDenial: true },
    });
  });

  it('a method without a scope takes no key, and one for any scope takes each', () => {
    expect(checkPolicy(withKey(apiKeyScopes), all)).toEqual(
      deny('an API key may not do this: sign in as a person'),
    );
    expect(reasonOf(checkPolicy(withKey([]), { ...all, scope: 'any' }))).toBe('ok');
    expect(reasonOf(checkPolicy(userOf('customer'), all))).toBe('ok');
  });

  it('the role of the owner counts besides the scope', () => {
    const policy: Policy = { roles: ['admin'], scope: 'any' };
    expect(checkPolicy(withKey(apiKeyScopes), policy)).toMatchObject({
      rejection: { reason: 'PERMISSION_DENIED', metadata: { role: 'operator' }, isDenial: true },
    });
  });

  it('a key is the user who owns it, and is looked up with the address of the call', async () => {
    const { access, asked } = create();
    expect(await access.identify(authorization, '192.0.2.1')).toEqual(
      succeed({ ...userOf('operator', { sessionId: undefined, apiKey: key }) }),
    );
    await access.authorize(authorization, { ...all, scope: 'any' }, '192.0.2.2');
    expect(asked).toEqual(['192.0.2.1', '192.0.2.2']);
  });

  it('without a fresh feed no key is looked up, since it could be revoked', async () => {
    const { access, asked } = create({ isFresh: false });
    expect(reasonOf(await access.identify(authorization))).toBe('AUTH_UNAVAILABLE');
    expect(asked).toEqual([]);
  });

  it('a revoked key is refused, and another one is not', async () => {
    const revoked = create({ revokedKeyId: 'k' }).access;
    expect(reasonOf(await revoked.identify(authorization))).toBe('TOKEN_REVOKED');
    const other = create({ revokedKeyId: 'other' }).access;
    expect(reasonOf(await other.identify(authorization))).toBe('ok');
  });

  it('the refusal of a look-up is the answer', async () => {
    const { access } = create({ keyRefusal: refuse('TOKEN_EXPIRED', 'it has ended') });
    expect(reasonOf(await access.identify(authorization))).toBe('TOKEN_EXPIRED');
  });

  it('a key for one wallet reaches that wallet only', () => {
    const bound = userOf('operator', { apiKey: { ...key, walletId: 'w' } });
    expect(checkWalletOfKey(bound, 'w').ok).toBe(true);
    expect(checkWalletOfKey(bound, 'x')).toMatchObject({
      rejection: { reason: 'PERMISSION_DENIED', isDenial: true, denied: { target: 'x' } },
    });
    const unbound = userOf('operator', { apiKey: key });
    for (const principal of [unbound, userOf('customer'), { kind: 'service' } as const]) {
      expect(checkWalletOfKey(principal, 'x').ok).toBe(true);
    }
  });
});

describe('a second factor that is required', () => {
  it.each([
    ['customer', false, false],
    ['customer', true, false],
    ['operator', false, true],
    ['operator', true, false],
    ['admin', false, true],
    ['admin', true, false],
  ] as const)('%s with a second factor %j lacks one: %j', (role, hasTotp, isLacking) => {
    expect(lacksRequiredTotp({ role, hasTotp })).toBe(isLacking);
  });

  it.each([
    [{}, false],
    [{ isTotpRequiredHere: true }, true],
    [{ isTotpRequiredByAuth: true }, true],
    [{ isTotpRequiredHere: true, token: { hasTotp: true }, key: { hasOwnerTotp: true } }, false],
    [{ isTotpRequiredHere: true, token: { role: 'customer' }, key: { role: 'customer' } }, false],
  ] as const)('staff must enrol with the setting %j: %j', async (setting, mustEnrol) => {
    const { access } = create(setting);
    for (const authorization of ['Bearer known', 'Bearer dwk_secret']) {
      const identified = await access.identify(authorization);
      const principal = identified.ok ? identified.value : undefined;
      expect(principal?.kind).toBe('user');
      expect(principal && 'mustEnrol' in principal).toBe(mustEnrol);
    }
    // What is not looked up is not required of a call that was accepted before.
    expect(access.recall('Bearer known', all) === undefined).toBe(mustEnrol);
  });

  it('staff who must enrol can enrol, and nothing else', () => {
    const enrolling: Policy = { ...all, enrolling: true };
    const staff = userOf('operator', { mustEnrol: true });
    expect(reasonOf(checkPolicy(staff, enrolling))).toBe('ok');
    expect(checkPolicy(staff, all)).toMatchObject({
      rejection: {
        reason: 'TOTP_ENROLMENT_REQUIRED',
        message: 'a second factor is required of every operator: enrol one first',
        metadata: { role: 'operator' },
        isDenial: true,
      },
    });
    expect(reasonOf(checkPolicy(userOf('operator'), enrolling))).toBe('ok');
    // Enrolling gives no right to a role that has none.
    const forAdmins: Policy = { roles: ['admin'], enrolling: true };
    expect(reasonOf(checkPolicy(staff, forAdmins))).toBe('PERMISSION_DENIED');
  });

  it('an API key of such staff opens nothing, and says what its owner must do', () => {
    const enrolling: Policy = { ...all, scope: 'any', enrolling: true };
    const byKey = userOf('operator', { mustEnrol: true, apiKey: key });
    expect(checkPolicy(byKey, enrolling)).toMatchObject({
      rejection: { reason: 'TOTP_ENROLMENT_REQUIRED', metadata: {}, isDenial: true },
    });
    expect(checkPolicy(byKey, enrolling)).toMatchObject({
      rejection: { message: expect.stringContaining('the owner of this API key') as string },
    });
  });
});

describe('recall', () => {
  it('a token that was verified before is accepted at once, under the policy', () => {
    const { access } = create();
    expect(access.recall('Bearer known', all)).toEqual(userOf('operator'));
    expect(access.recall('Bearer known', { roles: ['admin'] })).toBeUndefined();
  });

  it.each([
    ['an unknown token', 'Bearer other', all],
    ['another scheme', 'bearer known', all],
    ['a service', 'Service ours', all],
    ['no credential', undefined, all],
    ['a public method', 'Bearer known', 'public'],
  ] as const)('%s is not recalled', (_what, authorization, policy) => {
    expect(create().access.recall(authorization, policy)).toBeUndefined();
  });

  it('nothing is recalled that was revoked, or may have been', () => {
    expect(create({ isRevoked: true }).access.recall('Bearer known', all)).toBeUndefined();
    expect(create({ isFresh: false }).access.recall('Bearer known', all)).toBeUndefined();
  });
});

describe('credentials of services', () => {
  it.each([
    ['Service ours', true],
    ['Service other', false],
    ['Service ', false],
    ['service ours', false],
    ['Bearer ours', false],
    ['ours', false],
    [undefined, false],
  ])('%j is that of our services: %j', (authorization, isOurs) => {
    expect(create().access.isService(authorization)).toBe(isOurs);
  });

  it('the scheme of a credential counts, whatever comes with it', async () => {
    const { access, asked } = create();
    for (const scheme of ['Basic', 'Token', 'Service', 'Bearerx', '']) {
      expect(reasonOf(await access.identify(`${scheme} known`))).toBe('TOKEN_INVALID');
      expect(reasonOf(await access.identify(`${scheme} dwk_secret`))).toBe('TOKEN_INVALID');
    }
    expect(asked).toEqual([]);
    expect(reasonOf(await access.identify('BEARER known'))).toBe('ok');
  });

  it('a call without a credential is anonymous, and is refused where one is needed', async () => {
    const { access } = create();
    expect(await access.identify(undefined)).toEqual(succeed({ kind: 'anonymous' }));
    expect(reasonOf(await access.authorize(undefined, all))).toBe('CREDENTIALS_MISSING');
    expect(checkPolicy({ kind: 'service' }, 'public')).toEqual(succeed({ kind: 'anonymous' }));
  });
});

describe('denials', () => {
  it('a refusal for want of rights is marked for the audit log', () => {
    expect(deny('no', { role: 'customer' }).rejection).toEqual({
      ...{ reason: 'PERMISSION_DENIED', message: 'no', metadata: { role: 'customer' } },
      isDenial: true,
    });
    expect(deny('no').rejection.metadata).toEqual({});
  });

  it('to name another user is a denial that looks like a user who is not there', () => {
    const other = '6f1c3f3e-0000-4000-8000-00000000000f';
    expect(resolveSubject(userOf('customer'), other)).toEqual({
      ok: false,
      rejection: {
        reason: 'USER_NOT_FOUND',
        message: `there is no user ${other}`,
        metadata: { field: 'user_id', userId: other },
        isDenial: true,
      },
    });
    expect(resolveSubject(userOf('customer'), userId.toUpperCase())).toEqual(succeed(userId));
  });

  it('a subject that is missing or malformed is named by its field', () => {
    const fieldOf = (result: Result<string>) =>
      result.ok ? '' : result.rejection.metadata['field'];
    expect(fieldOf(resolveSubject(userOf('admin'), ''))).toBe('user_id');
    expect(fieldOf(resolveSubject(userOf('admin'), 'x'))).toBe('user_id');
  });
});
