import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { send, startGateway, type GatewayWorld } from '../../../tests/support/http/gateway.ts';
import { createPeople, password } from '../../../tests/support/http/people.ts';

let world: GatewayWorld;
let adminToken: string;

beforeAll(async () => {
  world = await startGateway();
  adminToken = (await createPeople(() => world).create('admin')).token;
});
afterAll(() => world.stop());

let people = 0;

/** A client with a cookie jar, as those of the system after which the simple API is made. */
function createClient() {
  const jar = { cookie: '' };
  const ask = async (method: string, path: string, body?: unknown, headers = {}) => {
    const sent = { ...(jar.cookie === '' ? {} : { cookie: jar.cookie }), ...headers };
    const answered = await send(world.url, method, path, { body, headers: sent });
    const set = answered.headers.get('set-cookie');
    if (set !== null) jar.cookie = set.split(';')[0] ?? '';
    return { ...answered, set };
  };
  const signUp = async () => {
    const email = `cookie${(people += 1)}@example.com`;
    const body = { email, password, confirmPassword: password };
    const { body: answer } = await ask('POST', '/auth/sign-up', body);
    return answer['user'] as { readonly id: string; readonly email: string };
  };
  return { jar, ask, signUp };
}

describe('the session cookie', () => {
  it('a client signs up, moves money, and reads balance and statement with its cookie', async () => {
    const { ask, jar } = createClient();
    const person = { email: 'original@example.com', password };
    const signedUp = await ask('POST', '/auth/sign-up', { ...person, confirmPassword: password });
    expect(signedUp.status).toBe(200);
    expect(signedUp.set).toMatch(
      /^token=dws_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=2\d{6}$/,
    );
    const signedIn = await ask('POST', '/auth/sign-in', person);
    expect(signedIn.body).toMatchObject({ user: { email: person.email } });
    expect(signedIn.text).not.toContain(jar.cookie.slice('token='.length));
    const made = await ask('POST', '/wallet/transaction', { operation: 0, amount: 159.99 });
    expect(made.body).toMatchObject({ status: 201, transaction: { amount: '159.99' } });
    expect((await ask('GET', '/wallet/balance')).body).toMatchObject({ balance: 159.99 });
    const maxDate = new Date().toISOString().slice(0, 10);
    const generated = await ask('POST', '/statement/generate', { maxDate });
    expect(generated.body).toMatchObject({ status: 200, items: [{ amount: 'R$159.99' }] });
    expect((await ask('GET', '/v1/wallets/me/BRL')).body).toMatchObject({ balance: '159.99' });
  });

  it('a sign-out ends the session and removes the cookie, of which a copy is worth nothing', async () => {
    const { ask, jar, signUp } = createClient();
    await signUp();
    expect((await ask('POST', '/auth/refresh')).status).toBe(200);
    const copy = jar.cookie;
    const out = await ask('POST', '/auth/sign-out');
    expect([out.status, out.set]).toEqual([
      200,
      'token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0',
    ]);
    const refused = await ask('GET', '/auth/me', undefined, { cookie: copy });
    expect(refused.body).toMatchObject({ status: 401, field: 'Cookie', message: 'Unauthorized' });
    expect(refused.set).toContain('token=; ');
  });

  it('DELETE /v1/sessions/current ends the session of a cookie and removes it too', async () => {
    const { ask, signUp } = createClient();
    await signUp();
    const out = await ask('DELETE', '/v1/sessions/current');
    expect(out.status).toBe(204);
    expect(out.set).toContain('token=; ');
  });

  it('a session that staff end is over at once, though its access token was kept', async () => {
    const { ask, signUp } = createClient();
    const { id } = await signUp();
    expect((await ask('GET', '/auth/me')).status).toBe(200);
    const path = `/v1/users/${id}`;
    const options = { token: adminToken, body: { disabled: true } };
    expect((await send(world.url, 'PATCH', path, options)).status).toBe(200);
    const refused = await ask('GET', '/auth/me');
    expect(refused.status).toBe(401);
    expect(refused.set).toContain('token=; ');
  });

  it('with another role a session goes on, though its access token is void', async () => {
    const { ask, signUp } = createClient();
    const { id } = await signUp();
    const options = { token: adminToken, body: { role: 'operator' } };
    expect((await send(world.url, 'PATCH', `/v1/users/${id}`, options)).status).toBe(200);
    const me = await ask('GET', '/auth/me');
    expect(me.body).toMatchObject({ user: { id, role: 'operator' } });
    expect(me.set).toBeNull();
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403, 'ORIGIN_REFUSED'],
    ['an origin of another site', { origin: 'https://attacker.example' }, 403, 'ORIGIN_REFUSED'],
    ['a form', { 'content-type': 'text/plain' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
  ])('a transaction with the cookie from %s is refused', async (_from, headers, status, reason) => {
    const { ask, signUp } = createClient();
    await signUp();
    const refused = await ask('POST', '/wallet/transaction', { operation: 0, amount: 1 }, headers);
    expect(refused.body).toMatchObject({ status, reason });
    expect((await ask('GET', '/wallet/balance')).body).toMatchObject({ balance: 0 });
  });

  it('a cookie under another name of this server is refused', async () => {
    const { jar, signUp } = createClient();
    await signUp();
    const otherName = `http://localhost:${world.port}`;
    const headers = { cookie: jar.cookie };
    const refused = await send(otherName, 'GET', '/auth/me', { headers });
    expect(refused.body).toMatchObject({ status: 421, reason: 'HOST_UNKNOWN' });
  });

  it('a bearer token is taken before a cookie, and its sign-out leaves the cookie', async () => {
    const { ask, jar, signUp } = createClient();
    const { email } = await signUp();
    const { body } = await send(world.url, 'POST', '/v1/sign-in', { body: { email, password } });
    const { accessToken } = body['tokens'] as { accessToken: string };
    const authorization = `Bearer ${accessToken}`;
    const out = await ask('POST', '/auth/sign-out', undefined, { authorization });
    expect([out.status, out.set]).toEqual([200, null]);
    expect(jar.cookie).toMatch(/^token=dws_/);
    expect((await ask('GET', '/auth/me')).status).toBe(200);
  });

  it('the token of a cookie is no bearer token', async () => {
    const { jar, signUp } = createClient();
    await signUp();
    const token = jar.cookie.slice('token='.length);
    const refused = await send(world.url, 'GET', '/auth/me', { token });
    expect(refused.body).toMatchObject({ status: 401, reason: 'TOKEN_INVALID' });
  });
});
