import { beforeEach, describe, expect, test } from 'vitest';

import { Role, TokenSet } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Reason } from '../../core/reasons.ts';
import { fail, succeed, type Outcome } from '../outcome.ts';
import { toLostFailure } from '../rpc/errors.ts';
import type { Accounts, StoredAccount } from './accounts.ts';
import type { AccountRecord } from './records.ts';
import { openCredentials, type Credential, type CredentialParts } from './session.ts';

const account = 'default@server';
const startMs = Date.UTC(2026, 10, 22);
const lifeMs = 900_000;
const marginMs = 30_000;

let nowMs: number;
let stored: StoredAccount | undefined;
/** What happened to the store and the server, in order. */
let events: string[];
let refreshed: Awaited<ReturnType<CredentialParts['refresh']>>;
let failures: { reserve?: Outcome<never>; write?: Outcome<never>; server?: Outcome<never> };
/** Called while the lock is waited for. */
let onLock: () => void;

const recordOf = (userId: string): AccountRecord => ({
  ...{ profile: 'default', server: 'server', userId, email: `${userId}@example.com` },
  ...{ role: 'customer', storage: 'file' as const, sessionExpiresAtMs: startMs + 9 * lifeMs },
});

const storedOf = (n: number, userId = 'ana', change = {}): StoredAccount => ({
  record: recordOf(userId),
  secret: {
    ...{ accessToken: `access ${n}`, accessTokenExpiresAtMs: startMs + lifeMs },
    ...{ refreshToken: `refresh ${n}`, sessionExpiresAtMs: startMs + 9 * lifeMs },
    ...change,
  },
});

const tokensOf = (n: number, user?: object): typeof refreshed =>
  succeed({
    ok: true,
    value: {
      tokens: TokenSet.fromPartial({
        ...{ accessToken: `access ${n}`, refreshToken: `refresh ${n}` },
        accessTokenExpiresAt: new Date(startMs + n * lifeMs),
        sessionExpiresAt: new Date(startMs + 9 * lifeMs),
      }),
      user: user as never,
    },
  });

const refused = (reason: Reason): typeof refreshed =>
  succeed({
    ok: false,
    failure: { ...toLostFailure('no more'), reason, certainty: 'refused', isTransient: false },
  });

const accounts = {
  load: () => Promise.resolve(succeed(stored)),
  withAccountLock: async (_account: string, work: (lock: object) => Promise<unknown>) => {
    events.push('lock');
    onLock();
    try {
      return await work({});
    } finally {
      events.push('unlock');
    }
  },
  reserve: () => {
    events.push('reserve');
    const room = {
      commit: () => Promise.resolve(succeed(undefined)),
      release: () => Promise.resolve(void events.push('release')),
    };
    return Promise.resolve(failures.reserve ?? succeed(room));
  },
  writeAccount: (
    _lock: object,
    next: StoredAccount,
    { replaces }: { readonly replaces?: StoredAccount['secret'] } = {},
  ) => {
    events.push(`write ${next.secret.accessToken}`);
    if (failures.write) return Promise.resolve(failures.write);
    if (replaces && stored?.secret.accessToken !== replaces.accessToken) {
      return Promise.resolve(succeed(false));
    }
    stored = next;
    return Promise.resolve(succeed(true));
  },
} as unknown as Accounts;

const create = (token?: string) =>
  openCredentials({
    ...{ account, token, accounts, now: () => nowMs },
    refresh: (refreshToken) => {
      events.push(refreshToken);
      return Promise.resolve(refreshed);
    },
    checkServer: () => Promise.resolve(failures.server ?? succeed(undefined)),
    warn: (message) => Promise.resolve(void events.push(`warn: ${message}`)),
  });

const tokenOf = (got: Outcome<Credential | undefined>): string | undefined =>
  got.ok ? got.value?.token : got.failure.reason;

beforeEach(() => {
  [nowMs, stored, events, failures] = [startMs, storedOf(1), [], {}];
  refreshed = tokensOf(2);
  onLock = () => undefined;
});

describe('the credential of a command', () => {
  test('a token of the environment is used as it is, and nothing is read or refreshed', async () => {
    stored = undefined;
    const credentials = create('dwk_key');
    expect(await credentials.get()).toMatchObject({
      ok: true,
      value: { source: 'WALLET_TOKEN', token: 'dwk_key', record: undefined },
    });
    expect(await credentials.renew({ source: 'WALLET_TOKEN', token: 'dwk_key' })).toEqual(
      succeed(undefined),
    );
    expect(events).toEqual([]);
  });

  test('a stored token with half a minute left is used, and one with less is refreshed', async () => {
    nowMs = startMs + lifeMs - marginMs;
    expect(tokenOf(await create().get())).toBe('access 1');
    expect(events).toEqual([]);
    nowMs += 1;
    expect(tokenOf(await create().get())).toBe('access 2');
    expect(events).toEqual(['lock', 'reserve', 'refresh 1', 'write access 2', 'unlock']);
  });

  test('a command that goes on past the end of its token refreshes it', async () => {
    const credentials = create();
    expect(tokenOf(await credentials.get())).toBe('access 1');
    nowMs = startMs + lifeMs;
    expect(tokenOf(await credentials.get())).toBe('access 2');
    expect(tokenOf(await credentials.get())).toBe('access 2');
    expect(events.filter((event) => event.startsWith('refresh'))).toEqual(['refresh 1']);
  });

  test('a stored token without a refresh token is used to its end', async () => {
    stored = storedOf(1, 'ana', { refreshToken: undefined });
    nowMs = startMs + lifeMs;
    const credentials = create();
    expect(tokenOf(await credentials.get())).toBe('access 1');
    const stale = { source: 'file', token: 'access 1' };
    expect(await credentials.renew(stale)).toEqual(succeed(undefined));
    expect(events).toEqual([]);
  });

  test('a token without a known end is not refreshed', async () => {
    stored = storedOf(1, 'ana', { accessTokenExpiresAtMs: undefined });
    nowMs = startMs + 100 * lifeMs;
    expect(tokenOf(await create().get())).toBe('access 1');
  });

  test('without a sign-in it says so, or that the server cannot be reached', async () => {
    stored = undefined;
    expect(tokenOf(await create().get())).toBe('SIGN_IN_REQUIRED');
    failures.server = fail('UNREACHABLE', 'there is no server');
    expect(tokenOf(await create().get())).toBe('UNREACHABLE');
  });
});

describe('the refresh of a session', () => {
  const expired = () => (nowMs = startMs + lifeMs);

  test('room is made before the refresh token is spent, and the new tokens are stored', async () => {
    expired();
    failures.reserve = fail('STORAGE_UNAVAILABLE', 'the disk is full');
    expect(tokenOf(await create().get())).toBe('STORAGE_UNAVAILABLE');
    expect(events).toEqual(['lock', 'reserve', 'unlock']);
    failures = {};
    expect(tokenOf(await create().get())).toBe('access 2');
    expect(stored?.secret).toMatchObject({ accessToken: 'access 2', refreshToken: 'refresh 2' });
    expect(stored?.secret.accessTokenExpiresAtMs).toBe(startMs + 2 * lifeMs);
  });

  test('a token that is still valid is used where it cannot be refreshed now', async () => {
    nowMs = startMs + lifeMs - 1;
    failures.reserve = fail('STORAGE_UNAVAILABLE', 'the disk is full');
    expect(tokenOf(await create().get())).toBe('access 1');
    nowMs += 1;
    expect(tokenOf(await create().get())).toBe('STORAGE_UNAVAILABLE');
  });

  test('what another process has refreshed meanwhile is used, and not refreshed again', async () => {
    expired();
    onLock = () => (stored = storedOf(3, 'ana', { accessTokenExpiresAtMs: nowMs + lifeMs }));
    expect(tokenOf(await create().get())).toBe('access 3');
    expect(events).toEqual(['lock', 'unlock']);
  });

  test.each([
    ['refused', () => refused('REFRESH_TOKEN_INVALID'), 'REFRESH_TOKEN_INVALID'],
    [
      'lost',
      () => succeed({ ok: false as const, failure: toLostFailure('lost') }),
      'CONNECTION_LOST',
    ],
    ['without a server', () => fail('UNREACHABLE', 'no server'), 'UNREACHABLE'],
  ] as const)(
    'a refresh that is %s gives its room back, and stores nothing',
    async (_h, of, reason) => {
      expired();
      refreshed = of();
      expect(tokenOf(await create().get())).toBe(reason);
      expect(events).toEqual(['lock', 'reserve', 'refresh 1', 'release', 'unlock']);
      expect(stored).toEqual(storedOf(1));
    },
  );

  test('an ended session names its user and the command to sign in again', async () => {
    expired();
    refreshed = refused('REFRESH_TOKEN_INVALID');
    expect(await create().get()).toMatchObject({
      failure: {
        message: expect.stringContaining('ana@example.com') as string,
        hint: 'wallet sign-in --email ana@example.com',
      },
    });
  });

  test('tokens that cannot be stored are used, with a warning', async () => {
    expired();
    failures.write = fail('STORAGE_UNAVAILABLE', 'the disk is full');
    expect(tokenOf(await create().get())).toBe('access 2');
    expect(events.some((event) => /^warn: .*the disk is full$/.test(event))).toBe(true);
  });

  test('after another sign-in during the refresh the stored tokens hold', async () => {
    expired();
    const parts = create();
    const other = storedOf(7, 'ana', { accessTokenExpiresAtMs: nowMs + lifeMs });
    const { reserve } = accounts;
    Object.assign(accounts, {
      reserve: (...args: Parameters<typeof reserve>) => {
        const room = reserve(...args);
        stored = other;
        return room;
      },
    });
    try {
      expect(tokenOf(await parts.get())).toBe('access 7');
      expect(stored).toEqual(other);
    } finally {
      Object.assign(accounts, { reserve });
    }
  });

  test('an answer without tokens is a failure, and the room is given back', async () => {
    expired();
    refreshed = succeed({ ok: true, value: { tokens: undefined, user: undefined } });
    expect(tokenOf(await create().get())).toBe('UNEXPECTED');
    expect(events).toContain('release');
  });

  test('address and role of the answer replace the stored ones, where it has any', async () => {
    expired();
    await create().get();
    expect(stored?.record).toMatchObject({ email: 'ana@example.com', role: 'customer' });
    nowMs = startMs + 2 * lifeMs;
    refreshed = tokensOf(3, { email: 'new@example.com', role: Role.OPERATOR });
    await create().get();
    expect(stored?.record).toMatchObject({ email: 'new@example.com', role: 'operator' });
  });
});

describe('a credential that the server no longer takes', () => {
  const stale = { source: 'file', token: 'access 1' };

  test('a stored token is renewed under the lock, whatever is left of it', async () => {
    expect(tokenOf(await create().renew(stale))).toBe('access 2');
    expect(events).toEqual(['lock', 'reserve', 'refresh 1', 'write access 2', 'unlock']);
  });

  test('a token that was renewed already is used, and not renewed again', async () => {
    stored = storedOf(5);
    expect(tokenOf(await create().renew(stale))).toBe('access 5');
    expect(events).toEqual(['lock', 'unlock']);
  });

  test('a command never goes on as another user', async () => {
    const credentials = create();
    await credentials.get();
    stored = storedOf(8, 'bia');
    const changed = await credentials.renew(stale);
    expect(changed).toMatchObject({
      failure: {
        reason: 'ACCOUNT_CHANGED',
        message: expect.stringMatching(/^bia@example.com .* as ana@example.com;/) as string,
      },
    });
    nowMs = startMs + lifeMs - marginMs + 1;
    expect(tokenOf(await credentials.get())).toBe('ACCOUNT_CHANGED');
  });
});
