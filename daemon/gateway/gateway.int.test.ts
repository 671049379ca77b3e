import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  AuthServiceService,
  SignInRequest,
  SignUpRequest,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { send, startGateway, type GatewayWorld } from '../../tests/support/http/gateway.ts';

let world: GatewayWorld;
let token: string;

beforeAll(async () => {
  world = await startGateway();
  const caller = world.services.server.createCaller();
  const person = { email: 'ana@example.com', password: 'correct horse battery' };
  await caller.call(AuthServiceService.signUp, SignUpRequest.fromPartial(person));
  const signedIn = await caller.call(AuthServiceService.signIn, SignInRequest.fromPartial(person));
  token = signedIn.ok ? (signedIn.value.tokens?.accessToken ?? '') : '';
});
afterAll(() => world.stop());

const post = (body: unknown, headers: Record<string, string> = {}) =>
  send(world.url, 'POST', '/v1/transactions', { token, body, headers });

describe('POST /v1/transactions', () => {
  it('a deposit is made with 201, and the same key again gives it with 200', async () => {
    const headers = { 'idempotency-key': `"${randomUUID()}"` };
    const deposit = { operation: 'deposit', amount: '159.99' };
    const made = await post(deposit, headers);
    expect(made.body).toMatchObject({ amount: '159.99', currency: 'BRL', seq: 1, replayed: false });
    expect(made.status).toBe(201);
    const again = await post(deposit, headers);
    expect(again.status).toBe(200);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual({ ...made.body, replayed: true });
    const got = await send(world.url, 'GET', made.headers.get('location') ?? '', { token });
    expect(got.body).toEqual(made.body);
    const listed = await send(world.url, 'GET', '/v1/transactions?limit=1', { token });
    expect(listed.body).toEqual({ items: [made.body] });
    const balance = await send(world.url, 'GET', '/v1/wallets/me/BRL', { token });
    expect(balance.body).toMatchObject({ balance: '159.99', seq: 1 });
  });

  it.each([
    ['no key', { operation: 'deposit', amount: '1.00' }, {}, 400, 'IDEMPOTENCY_KEY_REQUIRED'],
    ['three decimals', { operation: 'deposit', amount: '1.001' }, key(), 400, 'AMOUNT_INVALID'],
    [
      'an unknown field',
      { operation: 'deposit', amount: '1', a: 1 },
      key(),
      400,
      'INVALID_ARGUMENT',
    ],
    ['16 digits', '{"operation":"deposit","amount":90071992547409.93}', key(), 400, 'JSON_INVALID'],
    ['a key twice', '{"operation":"deposit","operation":"withdraw"}', key(), 400, 'JSON_INVALID'],
    ['__proto__', '{"operation":"deposit","__proto__":{}}', key(), 400, 'JSON_INVALID'],
    ['no JSON', '{', key(), 400, 'JSON_INVALID'],
    ['257 KiB', ' '.repeat(257 * 1024), key(), 413, 'BODY_TOO_LARGE'],
    ['too much', { operation: 'withdraw', amount: '1000000' }, key(), 409, 'INSUFFICIENT_FUNDS'],
  ])(
    'a request with %s is refused with a problem',
    async (_what, body, headers, status, reason) => {
      const refused = await post(body, headers);
      expect(refused.body).toMatchObject({ status, reason, type: `/docs/errors#${reason}` });
      expect(refused.status).toBe(status);
      expect(refused.headers.get('content-type')).toBe('application/problem+json');
      expect(refused.body['requestId']).toBe(refused.headers.get('x-request-id'));
    },
  );
});

describe('every route', () => {
  it.each([
    ['GET', '/nothing', 404, 'ROUTE_NOT_FOUND'],
    ['DELETE', '/v1/transactions', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/v1/wallets/%ff/BRL', 400, 'URI_INVALID'],
    ['GET', '/v1/transactions?limit=0', 400, 'INVALID_ARGUMENT'],
  ])('%s %s is answered with %i %s', async (method, path, status, reason) => {
    const refused = await send(world.url, method, path, { token });
    expect(refused.body).toMatchObject({ status, reason });
  });

  it('a request without a credential is refused with 401 and a challenge', async () => {
    const refused = await send(world.url, 'GET', '/v1/wallets');
    expect(refused.body).toMatchObject({ status: 401, reason: 'CREDENTIALS_MISSING' });
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
  });
});

function key(): Record<string, string> {
  return { 'idempotency-key': randomUUID() };
}
