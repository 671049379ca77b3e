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

describe('POST /v1/transactions/batch', () => {
  const batch = (body: unknown, headers: Record<string, string> = {}) =>
    send(world.url, 'POST', '/v1/transactions/batch', { token, body, headers });

  it('a batch answers each item in order, and the same batch again changes nothing', async () => {
    const items = [
      { operation: 'deposit', amount: '10', currency: 'EUR', idempotencyKey: randomUUID() },
      { operation: 'deposit', amount: '0.001', currency: 'EUR', idempotencyKey: randomUUID() },
      { operation: 'withdraw', amount: 4, currency: 'EUR', idempotencyKey: randomUUID() },
      { operation: 'withdraw', amount: '400', currency: 'EUR', idempotencyKey: randomUUID() },
    ];
    const made = await batch({ items });
    expect(made.body).toMatchObject({
      items: [
        { status: 201, transaction: { balanceAfter: '10.00', seq: 1 } },
        { status: 400, problem: { reason: 'AMOUNT_INVALID' } },
        { status: 201, transaction: { balanceAfter: '6.00', seq: 2 } },
        { status: 409, problem: { reason: 'INSUFFICIENT_FUNDS' } },
      ],
    });
    const lines = items.map((item) => JSON.stringify(item)).join('\n');
    const ndjson = { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' };
    const again = await batch(lines, ndjson);
    expect(again.headers.get('content-type')).toBe('application/x-ndjson');
    const statuses = again.text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status);
    expect(statuses).toEqual([200, 400, 200, 409]);
    const balance = await send(world.url, 'GET', '/v1/wallets/me/EUR', { token });
    expect(balance.body).toMatchObject({ balance: '6.00', seq: 2 });
  });

  it.each([
    ['no item', { items: [] }, {}],
    ['1,001 items', { items: Array(1_001).fill(0) }, {}],
    ['a header with a key', { items: [itemOf('1')] }, key()],
    ['a broken line', '{"operation":', { 'content-type': 'application/x-ndjson' }],
  ])('a batch with %s is refused whole', async (_what, body, headers) => {
    expect((await batch(body, headers)).status).toBe(400);
  });
});

describe('GET /v1/events', () => {
  it('a line is sent as it is made, and Last-Event-ID resumes after it', async () => {
    const next = await followEvents();
    const first = await post({ operation: 'deposit', amount: '1', currency: 'USD' }, key());
    const seen = await next();
    expect(seen).toMatchObject({ transactionId: first.body['id'], currency: 'USD', seq: 1 });
    await next.leave();
    const second = await post({ operation: 'deposit', amount: '2', currency: 'USD' }, key());
    const resumed = await followEvents(next.lastId());
    expect(await resumed()).toMatchObject({ transactionId: second.body['id'], seq: 2 });
    await resumed.leave();
  });

  it('a stream of another user is refused before it begins', async () => {
    const refused = await send(world.url, 'GET', `/v1/events?user=${randomUUID()}`, { token });
    expect(refused.body).toMatchObject({ status: 404, reason: 'USER_NOT_FOUND' });
  });
});

/** Reads the lines of a stream one by one. */
async function followEvents(lastEventId?: string) {
  const leaving = new AbortController();
  const response = await fetch(`${world.url}/v1/events`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: leaving.signal,
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let id = '';
  const next = async (): Promise<Record<string, unknown>> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end === -1) {
        text += (await reader.read()).value ?? '';
        continue;
      }
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      id = /^id: (.*)$/m.exec(event)?.[1] ?? id;
      const data = /^event: line$[^]*^data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) return JSON.parse(data) as Record<string, unknown>;
    }
  };
  return Object.assign(next, {
    lastId: () => id,
    leave: async () => {
      leaving.abort();
      await reader.cancel().catch(() => undefined);
    },
  });
}

describe('every route', () => {
  it.each([
    ['GET', '/nothing', 404, 'ROUTE_NOT_FOUND'],
    ['DELETE', '/v1/transactions', 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/v1/wallets/%ff/BRL', 400, 'URI_INVALID'],
    ['DELETE', '/v1/transactions/0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11', 405, 'METHOD_NOT_ALLOWED'],
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

const itemOf = (amount: string) => ({ operation: 'deposit', amount, idempotencyKey: randomUUID() });

function key(): Record<string, string> {
  return { 'idempotency-key': randomUUID() };
}
