import { describe, expect, it } from 'vitest';

import { roles } from '../../../core/roles.ts';
import { apiKeyScopes } from '../../../core/scopes.ts';
import { checkNewKey, checkKey, maxKeyLifeMs, scopesOf, type AskedApiKey } from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const asked: AskedApiKey = {
  name: 'nightly job',
  scopes: ['transactions:write', 'wallets:read'],
  operations: ['deposit'],
  expiresAt: new Date(nowMs + 60_000),
};
const check = (change: Partial<AskedApiKey>, role: (typeof roles)[number] = 'operator') =>
  checkNewKey({ ...asked, ...change }, role, nowMs);

describe('checkNewKey', () => {
  it('checkNewKey accepts a valid key, and takes each scope and operation once', () => {
    const twice = { scopes: ['wallets:read', 'transactions:write', 'wallets:read'] };
    const result = check({ ...twice, name: ' job ', operations: ['deposit', 'deposit'] });
    expect(result).toEqual({
      ok: true,
      value: {
        name: 'job',
        scopes: ['wallets:read', 'transactions:write'],
        walletId: undefined,
        operations: ['deposit'],
        expiresAtMs: nowMs + 60_000,
      },
    });
  });

  it.each([
    ['no name', { name: '  ' }, 'name'],
    ['a name that is too long', { name: 'x'.repeat(101) }, 'name'],
    ['a name with a control character', { name: 'a\u001b[31m' }, 'name'],
    ['no scope', { scopes: [] }, 'scopes'],
    ['a scope that there is not', { scopes: ['wallets:write'] }, 'scopes'],
    ['a name that every object has', { scopes: ['constructor'] }, 'scopes'],
    ['a wallet that is no id', { walletId: 'BRL' }, 'wallet_id'],
    ['an empty wallet', { walletId: '' }, 'wallet_id'],
    ['an operation that there is not', { operations: ['steal'] }, 'operations'],
    ['operations without the scope', { scopes: ['wallets:read'] }, 'operations'],
    ['no end', { expiresAt: undefined }, 'expires_at'],
    ['an end that is now', { expiresAt: new Date(nowMs) }, 'expires_at'],
    ['an end past a year', { expiresAt: new Date(nowMs + maxKeyLifeMs + 1) }, 'expires_at'],
    ['an end that is no time', { expiresAt: new Date(NaN) }, 'expires_at'],
  ])('checkNewKey refuses %s', (_what, change, field) => {
    expect(check(change)).toMatchObject({
      ok: false,
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field } },
    });
  });

  it('checkNewKey accepts the longest life of a key, 366 days', () => {
    expect(check({ expiresAt: new Date(nowMs + maxKeyLifeMs) }).ok).toBe(true);
  });

  it('the answer says what is wrong with a name', () => {
    const problemOf = (name: string) => {
      const result = check({ name });
      return result.ok ? '' : result.rejection.message;
    };
    expect(problemOf(' ')).toBe('name must not be empty');
    expect(problemOf('x'.repeat(101))).toBe('name must have at most 100 characters');
    expect(problemOf('a\u0007b')).toBe('name must not contain control characters');
    expect(problemOf('x'.repeat(100))).toBe('');
  });

  it('one unknown scope among known ones is refused', () => {
    expect(check({ scopes: ['wallets:read', 'wallets:write'] })).toMatchObject({
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'scopes' } },
    });
  });

  it('a scope that a role has no use for is named', () => {
    expect(check({ scopes: ['users:read'], operations: [] }, 'customer')).toMatchObject({
      rejection: {
        reason: 'PERMISSION_DENIED',
        metadata: { field: 'scopes', role: 'customer', scope: 'users:read' },
      },
    });
  });

  it('customers have the scopes of their own wallets, and staff have all', () => {
    const own = ['transactions:write', 'wallets:read', 'statements:read'];
    expect(scopesOf('customer')).toEqual(own);
    for (const role of ['operator', 'admin'] as const) expect(scopesOf(role)).toEqual(apiKeyScopes);
    expect(maxKeyLifeMs).toBe(366 * 86_400_000);
  });

  it('checkNewKey allows a role only the scopes of that role', () => {
    for (const role of roles) {
      for (const scope of apiKeyScopes) {
        const result = check({ scopes: [scope], operations: [] }, role);
        const isAllowed = scopesOf(role).includes(scope);
        expect(result.ok ? 'ok' : result.rejection.reason).toBe(
          isAllowed ? 'ok' : 'PERMISSION_DENIED',
        );
      }
    }
    expect(scopesOf('customer')).not.toContain('users:read');
    expect(scopesOf('customer')).not.toContain('dead-letters:write');
  });
});

describe('checkKey', () => {
  const key = { isRevoked: false, expiresAtMs: nowMs + 1 };
  it.each([
    ['works', key, false, undefined],
    ['ends at its time', { ...key, expiresAtMs: nowMs }, false, 'TOKEN_EXPIRED'],
    [
      'works after a small step of the clock',
      { ...key, expiresAtMs: nowMs + maxKeyLifeMs + 600_000 },
      false,
      undefined,
    ],
    [
      'of a clock that was a day ahead opens nothing',
      { ...key, expiresAtMs: nowMs + maxKeyLifeMs + 86_400_000 },
      false,
      'TOKEN_EXPIRED',
    ],
    ['is revoked, expired or not', { isRevoked: true, expiresAtMs: 0 }, false, 'TOKEN_REVOKED'],
    ['opens nothing for an owner who is shut out', key, true, 'TOKEN_REVOKED'],
  ] as const)('an API key %s', (_what, judged, isOwnerDisabled, reason) => {
    expect(checkKey(judged, isOwnerDisabled, nowMs)).toBe(reason);
  });
});
