import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { send, startGateway, type GatewayWorld } from '../../../tests/support/http/gateway.ts';
import {
  createPeople,
  password,
  type Person,
  type Tokens,
} from '../../../tests/support/http/people.ts';

let world: GatewayWorld;
let admin: Person;
let operator: Person;

const { newEmail, signIn, create: createPerson } = createPeople(() => world);

beforeAll(async () => {
  world = await startGateway();
  admin = await createPerson('admin');
  operator = await createPerson('operator');
});
afterAll(() => world.stop());

const ask = (
  method: string,
  path: string,
  options: { readonly token?: string; readonly body?: unknown } = {},
) => send(world.url, method, path, options);

describe('sign-up and sign-in', () => {
  it('who signs up and in gets tokens, and no cookie', async () => {
    const email = newEmail();
    const signedUp = await ask('POST', '/v1/sign-up', { body: { email, password } });
    expect(signedUp.status).toBe(201);
    expect(signedUp.body).toMatchObject({ email, role: 'customer', verificationRequired: false });
    const client = 'a shop';
    const signedIn = await ask('POST', '/v1/sign-in', { body: { email, password, client } });
    expect(signedIn.status).toBe(200);
    expect(signedIn.headers.get('set-cookie')).toBeNull();
    const { verificationRequired: _required, ...user } = signedUp.body;
    expect(signedIn.body).toMatchObject({ user, totpEnrolmentRequired: false });
    const { accessToken: token, sessionId } = signedIn.body['tokens'] as Tokens;
    const me = await ask('GET', '/v1/me', { token });
    const credential = { kind: 'session', sessionId, totpEnrolmentRequired: false };
    expect(me.body).toMatchObject({ user, credential });
    const listed = await ask('GET', '/v1/sessions', { token });
    expect(listed.body).toMatchObject({ items: [{ id: sessionId, client, current: true }] });
  });

  it('a refresh token gives new tokens, and text that is none is refused', async () => {
    const { refreshToken, sessionId } = await signIn(admin.email);
    const refreshed = await ask('POST', '/v1/sessions/refresh', { body: { refreshToken } });
    expect(refreshed.status).toBe(200);
    expect(refreshed.body).toMatchObject({ user: { id: admin.id }, tokens: { sessionId } });
    const { accessToken: token } = refreshed.body['tokens'] as Tokens;
    expect((await ask('GET', '/v1/me', { token })).status).toBe(200);
    const refused = await ask('POST', '/v1/sessions/refresh', { body: { refreshToken: 'x' } });
    expect(refused.body).toMatchObject({ status: 401, reason: 'REFRESH_TOKEN_INVALID' });
  });

  it.each([
    ['/v1/sign-in', { email: 'x@example.com', password }, 401, 'CREDENTIALS_INVALID'],
    ['/v1/sign-in', { email: 'x@example.com' }, 400, 'INVALID_ARGUMENT', 'password'],
    [
      '/v1/sign-in',
      { email: 'x@example.com', password, browser: true },
      400,
      'INVALID_ARGUMENT',
      'browser',
    ],
    ['/v1/sign-up', { email: 'no address', password }, 400, 'EMAIL_INVALID', 'email'],
    [
      '/v1/sign-up',
      { email: 'y@example.com', password: 'short' },
      400,
      'PASSWORD_INVALID',
      'password',
    ],
    ['/v1/sign-up', { email: 'person1@example.com', password }, 409, 'EMAIL_TAKEN'],
    ['/v1/verify-email', { code: 'ABCD-EFGH', password }, 401, 'VERIFICATION_CODE_INVALID'],
    ['/v1/verify-email', { code: 'ABCD-EFGH' }, 400, 'INVALID_ARGUMENT', 'signUpToken'],
  ])('POST %s %o is refused with %i %s', async (path, body, status, reason, field?: string) => {
    const refused = await ask('POST', path, { body });
    expect(refused.body).toMatchObject({ status, reason, ...(field ? { field } : {}) });
    expect(refused.status).toBe(status);
  });

  it('after a sign-out the access token is refused', async () => {
    const { accessToken: token } = await signIn(operator.email);
    const out = await ask('DELETE', '/v1/sessions/current', { token });
    expect([out.status, out.text, out.headers.get('set-cookie')]).toEqual([204, '', null]);
    const refused = await ask('GET', '/v1/me', { token });
    expect(refused.body).toMatchObject({ status: 401, reason: 'TOKEN_REVOKED' });
  });
});

describe('sessions and passwords', () => {
  it('one ends a session of one’s own, and none of another user', async () => {
    const other = await createPerson('customer');
    const { sessionId } = await signIn(other.email);
    const ended = await ask('DELETE', `/v1/sessions/${sessionId.toUpperCase()}`, other);
    expect([ended.status, ended.body]).toEqual([200, { revoked: 1 }]);
    const { sessionId: staffSession } = await signIn(operator.email);
    for (const id of [staffSession, randomUUID()]) {
      const refused = await ask('DELETE', `/v1/sessions/${id}`, other);
      expect(refused.body).toMatchObject({ status: 404, reason: 'SESSION_NOT_FOUND' });
    }
  });

  it('an admin lists the sessions of a user, page by page', async () => {
    const other = await createPerson('customer');
    await signIn(other.email);
    const path = `/v1/sessions?user=${other.id}&limit=1`;
    const first = await ask('GET', path, admin);
    expect(first.body).toMatchObject({ items: [{ userId: other.id, current: false }] });
    const next = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    expect(next).toContain(`user=${other.id}`);
    const second = await ask('GET', next, admin);
    expect(second.body['items']).toHaveLength(1);
    expect(second.body['nextPageToken']).toBeUndefined();
    const forged = await ask('GET', `${path}&pageToken=x`, admin);
    expect(forged.body).toMatchObject({ status: 400, reason: 'PAGE_TOKEN_INVALID' });
    const refused = await ask('GET', path, await createPerson('customer'));
    expect([refused.status, refused.body['reason']]).toEqual([404, 'USER_NOT_FOUND']);
  });

  it('a password is changed with the old one, and other sessions end if asked', async () => {
    const person = await createPerson('customer');
    const { accessToken: elsewhere } = await signIn(person.email);
    const change = { oldPassword: password, newPassword: 'wrong donkey staple' };
    const wrong = { ...change, oldPassword: 'another password' };
    const refused = await ask('PUT', '/v1/me/password', { ...person, body: wrong });
    expect(refused.body).toMatchObject({
      status: 401,
      reason: 'CREDENTIALS_INVALID',
      field: 'oldPassword',
    });
    const body = { ...change, revokeOtherSessions: true };
    const changed = await ask('PUT', '/v1/me/password', { ...person, body });
    expect(changed.body).toMatchObject({
      changed: true,
      otherSessionsRevoked: true,
      revokedSessions: 1,
    });
    expect((await ask('GET', '/v1/me', { token: elsewhere })).status).toBe(401);
    expect((await ask('GET', '/v1/me', person)).status).toBe(200);
  });
});

describe('users', () => {
  it('staff create a user, find it by address, and admins disable it', async () => {
    const email = newEmail();
    const created = await ask('POST', '/v1/users', { ...operator, body: { email, password } });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ email, role: 'customer', emailVerified: true });
    const path = created.headers.get('location') ?? '';
    expect((await ask('GET', path, operator)).body).toEqual(created.body);
    const found = await ask('GET', `/v1/users?email=${email}&role=customer`, operator);
    expect(found.body).toEqual({ items: [created.body] });
    const { accessToken: token } = await signIn(email);
    const disabled = await ask('PATCH', path, { ...admin, body: { disabled: true } });
    expect(disabled.body).toEqual({ ...created.body, disabled: true });
    expect((await ask('GET', '/v1/me', { token })).body).toMatchObject({ reason: 'TOKEN_REVOKED' });
  });

  it.each([
    ['POST', '/v1/users', { email: 'person1@example.com', password }, 409, 'EMAIL_TAKEN'],
    [
      'POST',
      '/v1/users',
      { email: 'z@example.com', password, role: 'king' },
      400,
      'INVALID_ARGUMENT',
    ],
    ['GET', '/v1/users?role=king', undefined, 400, 'INVALID_ARGUMENT'],
    ['GET', `/v1/users/${randomUUID()}`, undefined, 404, 'USER_NOT_FOUND'],
    ['GET', '/v1/users/1', undefined, 400, 'INVALID_ARGUMENT'],
    ['PATCH', `/v1/users/${randomUUID()}`, {}, 400, 'INVALID_ARGUMENT'],
    ['PATCH', `/v1/users/${randomUUID()}`, { disabled: true }, 404, 'USER_NOT_FOUND'],
    ['PATCH', `/v1/users/${randomUUID()}`, { disabled: 'yes' }, 400, 'INVALID_ARGUMENT'],
  ])('of an admin, %s %s %o is refused with %i %s', async (method, path, body, status, reason) => {
    const refused = await ask(method, path, { ...admin, body });
    expect(refused.body).toMatchObject({ status, reason });
  });

  it('customers reach themselves only, and operators create no staff', async () => {
    const customer = await createPerson('customer');
    expect((await ask('GET', `/v1/users/${customer.id}`, customer)).status).toBe(200);
    expect((await ask('GET', `/v1/users/${admin.id}`, customer)).body).toMatchObject({
      reason: 'USER_NOT_FOUND',
    });
    expect((await ask('GET', '/v1/users', customer)).status).toBe(403);
    const body = { email: newEmail(), password, role: 'operator' };
    const refused = await ask('POST', '/v1/users', { ...operator, body });
    expect(refused.body).toMatchObject({ status: 403, field: 'role' });
  });
});

describe('API keys', () => {
  it('a key is made, used, listed without its secret, and revoked', async () => {
    const owner = await createPerson('customer');
    const body = { name: 'shop', scopes: ['wallets:read'] };
    const created = await ask('POST', '/v1/api-keys', { ...owner, body });
    expect(created.status).toBe(201);
    const { secret, ...key } = created.body as { secret: string; id: string; expiresAt: string };
    expect(key).toMatchObject({ ...body, ownerId: owner.id, revoked: false });
    const me = await ask('GET', '/v1/me', { token: secret });
    expect(me.body).toMatchObject({
      user: { id: owner.id, role: 'customer' },
      credential: { kind: 'api-key', expiresAt: key.expiresAt, apiKey: { id: key.id } },
    });
    expect((await ask('GET', '/v1/wallets', { token: secret })).status).toBe(200);
    const listed = await ask('GET', '/v1/api-keys', owner);
    expect(listed.body).toMatchObject({ items: [{ id: key.id, name: 'shop' }] });
    expect(listed.text).not.toContain(secret);
    const revoked = await ask('DELETE', `/v1/api-keys/${key.id}`, owner);
    expect(revoked.body).toMatchObject({ id: key.id, revoked: true });
    expect((await ask('GET', '/v1/wallets', { token: secret })).status).toBe(401);
  });

  it('by default a key lives for 90 days', async () => {
    const body = { name: 'report', scopes: ['statements:read'] };
    const { body: key } = await ask('POST', '/v1/api-keys', { ...admin, body });
    const times = key as { createdAt: string; expiresAt: string };
    const days = (Date.parse(times.expiresAt) - Date.parse(times.createdAt)) / 86_400_000;
    expect(Math.round(days)).toBe(90);
  });

  it.each([
    ['no scope', { name: 'x', scopes: [] }, 'scopes'],
    ['an unknown scope', { name: 'x', scopes: ['money:all'] }, 'scopes.0'],
    ['no name', { name: ' ', scopes: ['wallets:read'] }, 'name'],
    ['a wallet that is none', { name: 'x', scopes: ['wallets:read'], walletId: '1' }, 'walletId'],
    ['no time', { name: 'x', scopes: ['wallets:read'], expiresAt: 'soon' }, 'expiresAt'],
    [
      'a time that is too late',
      { name: 'x', scopes: ['wallets:read'], expiresAt: '2999-01-01T00:00:00Z' },
      'expiresAt',
    ],
  ])('a key with %s is refused, with the field', async (_what, body, field) => {
    const refused = await ask('POST', '/v1/api-keys', { ...admin, body });
    expect(refused.body).toMatchObject({ status: 400, reason: 'INVALID_ARGUMENT', field });
  });

  it('a key of another user is not found', async () => {
    const body = { name: 'own', scopes: ['wallets:read'] };
    const { body: key } = await ask('POST', '/v1/api-keys', { ...operator, body });
    const other = await createPerson('customer');
    const refused = await ask('DELETE', `/v1/api-keys/${String(key['id'])}`, other);
    expect(refused.body).toMatchObject({ status: 404, reason: 'API_KEY_NOT_FOUND' });
  });
});
