import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { send, startGateway, type GatewayWorld } from '../../../../tests/support/http/gateway.ts';
import { createPeople, type Person } from '../../../../tests/support/http/people.ts';

let world: GatewayWorld;
let people: Readonly<Record<'ana' | 'bia' | 'staff', Person>>;

beforeAll(async () => {
  world = await startGateway();
  const { create } = createPeople(() => world);
  people = {
    ...{ ana: await create('customer'), bia: await create('customer') },
    staff: await create('operator'),
  };
  await ask('ana', 'POST', '/v1/transactions', { operation: 'deposit', amount: '100.00' });
});
afterAll(() => world.stop());

type Body = Readonly<Record<string, unknown>>;
let keys = 0;

async function ask(
  who: keyof typeof people,
  method: string,
  path: string,
  body?: Body,
  key = `k${(keys += 1)}`,
) {
  const headers = method === 'POST' ? { 'idempotency-key': key } : {};
  const answer = await send(world.url, method, path, { token: people[who].token, headers, body });
  return { status: answer.status, body: answer.body, headers: answer.headers };
}
const post = (path: string, body: Body, key?: string) => ask('staff', 'POST', path, body, key);
const get = (path: string, who: keyof typeof people = 'staff') => ask(who, 'GET', path);
const place = async (body: Body = {}) =>
  (await post('/v1/holds', { user: people.ana.id, amount: '10.00', ...body })).body;
const readBalance = async () => (await get('/v1/wallets/me/BRL', 'ana')).body;

describe('holds over HTTP', () => {
  it('holds are placed, captured in parts and released, each once', async () => {
    const body = { user: people.ana.id, amount: '50.00', merchant: 'Hotel Sol' };
    const placed = await post('/v1/holds', { ...body, expiresInSeconds: 3_600 }, 'place');
    const id = String(placed.body['id']);
    expect(placed).toMatchObject({
      status: 201,
      body: {
        ...{ operation: 'hold', amount: '50.00', held: '50.00', balanceAfter: '100.00' },
        ...{ direction: 'none', heldAfter: '50.00', availableAfter: '50.00' },
        hold: { id, state: 'open', left: '50.00', for: 'merchant:Hotel Sol' },
      },
    });
    expect(placed.headers.get('location')).toBe(`/v1/holds/${id}`);
    expect((await post('/v1/holds', { ...body, expiresInSeconds: 60 }, 'place')).status).toBe(200);
    expect(await readBalance()).toMatchObject({ held: '50.00', available: '50.00' });
    const part = { amount: '20.00', keepRest: true };
    for (const status of [201, 200]) {
      const captured = await post(`/v1/holds/${id}/capture`, part, 'capture');
      expect(captured).toMatchObject({
        status,
        body: {
          ...{ direction: 'out', balanceAfter: '80.00', availableAfter: '50.00' },
          hold: { captured: '20.00', left: '30.00' },
        },
      });
    }
    const released = await post(`/v1/holds/${id}/release`, {});
    expect(released.body).toMatchObject({
      operation: 'release',
      amount: '30.00',
      ...{ direction: 'none', heldAfter: '0.00', availableAfter: '80.00' },
    });
    expect(await get(`/v1/holds/${id}`, 'ana')).toMatchObject({
      ...{ status: 200, body: { state: 'captured', left: '0.00' } },
    });
    expect(await readBalance()).toMatchObject({ balance: '80.00', available: '80.00' });
  });

  it('holds are listed by state, for their owner and for staff', async () => {
    const { id } = await place();
    for (const [path, who] of [
      ['/v1/holds?state=open', 'ana'],
      [`/v1/holds?user=${people.ana.id}&state=open`, 'staff'],
      ['/v1/holds?state=open', 'staff'],
    ] as const) {
      expect((await get(path, who)).body['items']).toMatchObject([{ id, state: 'open' }]);
    }
    expect((await get('/v1/holds', 'bia')).body).toEqual({ items: [] });
    expect(await get(`/v1/holds/${String(id)}`, 'bia')).toMatchObject({
      ...{ status: 404, body: { reason: 'HOLD_NOT_FOUND' } },
    });
    await post(`/v1/holds/${String(id)}/release`, {});
  });

  it.each<[string, Body, string, string]>([
    ['two payees', { merchant: 'Sol', via: 'itau' }, 'INVALID_ARGUMENT', 'via'],
    ['no time', { expiresAt: 'tomorrow' }, 'INVALID_ARGUMENT', 'expiresAt'],
    ['the past', { expiresAt: '2020-01-01T00:00:00Z' }, 'INVALID_ARGUMENT', 'expiresAt'],
    ['0 seconds', { expiresInSeconds: 0 }, 'INVALID_ARGUMENT', 'expiresInSeconds'],
    ['half a second', { expiresInSeconds: 0.5 }, 'INVALID_ARGUMENT', 'expiresInSeconds'],
    ['31 days', { expiresInSeconds: 2_678_400 }, 'INVALID_ARGUMENT', 'expiresInSeconds'],
    ['an amount of 0', { amount: '0' }, 'AMOUNT_INVALID', 'amount'],
    ['rest to keep', { keepRest: true }, 'INVALID_ARGUMENT', 'keepRest'],
  ])('holds with %s are refused with the field', async (_what, wrong, reason, field) => {
    const before = await readBalance();
    const body = { user: people.ana.id, amount: '1.00', ...wrong };
    expect(await post('/v1/holds', body)).toMatchObject({ status: 400, body: { reason, field } });
    const { asOf: _before, ...same } = before;
    expect(await readBalance()).toMatchObject(same);
  });

  it('problems name fields as they were sent', async () => {
    const unknown = randomUUID();
    const user = people.ana.id;
    const days = { user, amount: '1.00', expiresInSeconds: 9_999_999 };
    const named = { user, currency: 'BRL' };
    const answers = [
      ...[await get(`/v1/holds/${unknown}`), await post(`/v1/holds/${unknown}/release`, {})],
      await post(`/v1/holds/${unknown}/capture`, named),
      await post(`/v1/holds/${unknown}/capture`, { keep_rest: true }),
      await post('/v1/holds', days),
      await post('/v1/holds', { user: 'ana@example.com', amount: '1.00' }),
      await post('/v1/exports', { user, format: 'hledger', holds: true }),
    ].map(({ body }) => [body['field'], body['detail']]);
    expect(answers).toEqual([
      ['id', expect.any(String)],
      ['id', expect.any(String)],
      ['id', expect.any(String)],
      ['keep_rest', 'keep_rest: is not known'],
      ['expiresInSeconds', expect.stringMatching(/^expiresInSeconds must be at most/)],
      ['user', 'user must be a UUID'],
      ['holds', expect.stringContaining('leave out holds')],
    ]);
  });

  it('holds are neither placed nor used by customers, nor used past what is left', async () => {
    const { id } = await place();
    const denied = { status: 403, body: { reason: 'OPERATION_NOT_ALLOWED' } };
    expect(await ask('ana', 'POST', '/v1/holds', { amount: '1.00' })).toMatchObject(denied);
    const path = `/v1/holds/${String(id)}`;
    expect(await ask('ana', 'POST', `${path}/capture`, {})).toMatchObject(denied);
    expect(await ask('ana', 'POST', `${path}/release`, {})).toMatchObject(denied);
    expect(await ask('bia', 'POST', `${path}/release`, {})).toMatchObject({
      body: { reason: 'HOLD_NOT_FOUND' },
    });
    expect(await post(`${path}/capture`, { amount: '10.01' })).toMatchObject({
      ...{ status: 409, body: { reason: 'CAPTURE_EXCEEDS_HOLD', field: 'amount' } },
    });
    expect((await post(`${path}/release`, {})).status).toBe(201);
    expect(await post(`${path}/capture`, {})).toMatchObject({ body: { reason: 'HOLD_CLOSED' } });
  });

  it('holds are items of a batch', async () => {
    const { id } = await place();
    const items = [
      { operation: 'capture', parentId: id, user: people.ana.id, idempotencyKey: 'b1' },
      { operation: 'hold', amount: '1.00', user: people.ana.id, idempotencyKey: 'b2' },
    ];
    const { body } = await ask('staff', 'POST', '/v1/transactions/batch', { items }, undefined);
    expect(body).toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'Idempotency-Key' });
    const sent = { token: people.staff.token, body: { items } };
    const made = await send(world.url, 'POST', '/v1/transactions/batch', sent);
    expect(made.body['items']).toMatchObject([
      { status: 201, transaction: { operation: 'capture', hold: { state: 'captured' } } },
      { status: 201, transaction: { operation: 'hold', hold: { state: 'open' } } },
    ]);
  });
});

describe('terms over HTTP', () => {
  const path = () => `/v1/wallets/${people.bia.id}/BRL/terms`;
  const put = (body: Body) => ask('staff', 'PUT', path(), body);

  it('terms are set and read, also of a wallet that does not exist', async () => {
    const limits = {
      perTransaction: '20.00',
      day: '50.00',
      rolling: [{ hours: 24, amount: '60.00' }],
    };
    const set = await put({ overdraftLimit: '100.00', limits, note: 'asked for by phone' });
    expect(set).toMatchObject({ status: 200, body: { number: 1, overdraftLimit: '100.00' } });
    expect((await get('/v1/wallets/me/BRL/terms', 'bia')).body).toMatchObject({
      ...{ number: 1, default: false, timezone: 'UTC' },
      limits: [{ name: 'perTransaction', limit: '20.00' }, { name: 'day', left: '50.00' }, {}],
    });
    const spend = (amount: string) =>
      ask('bia', 'POST', '/v1/transactions', { operation: 'withdraw', amount });
    expect(await spend('20.01')).toMatchObject({ status: 409, body: { reason: 'LIMIT_EXCEEDED' } });
    expect(await spend('20.00')).toMatchObject({ status: 201, body: { balanceAfter: '-20.00' } });
    expect((await get('/v1/wallets/me/BRL', 'bia')).body).toMatchObject({
      ...{ balance: '-20.00', available: '80.00', overdraftLimit: '100.00' },
    });
    const forced = { operation: 'withdraw', amount: '70.00', user: people.bia.id, force: true };
    expect((await post('/v1/transactions', forced)).status).toBe(201);
    expect(await put({ limits: null })).toMatchObject({ body: { number: 2, limits: [] } });
    expect(await put({ overdraftLimit: 0 })).toMatchObject({ body: { overdraftLimit: '0.00' } });
  });

  it.each<[string, Body, string, string]>([
    ['nothing', {}, 'INVALID_ARGUMENT', 'limits'],
    ['a limit below 0', { limits: { day: '-1.00' } }, 'AMOUNT_INVALID', 'limits.day'],
    ['an overdraft below 0', { overdraftLimit: '-1' }, 'AMOUNT_INVALID', 'overdraftLimit'],
    [
      'an unknown zone',
      { limits: { timezone: 'Mars/Base' } },
      'INVALID_ARGUMENT',
      'limits.timezone',
    ],
    [
      'a window of no hours',
      { limits: { rolling: [{ hours: 0, amount: '1.00' }] } },
      ...(['INVALID_ARGUMENT', 'limits.rolling[0].hours'] as const),
    ],
  ])('terms with %s are refused with the field', async (_what, body, reason, field) => {
    const before = (await get(path())).body;
    expect(await put(body)).toMatchObject({ status: 400, body: { reason, field } });
    expect((await get(path())).body['number']).toBe(before['number']);
  });

  it('terms with a number that is not theirs any more are not set', async () => {
    const refused = await put({ overdraftLimit: '1.00', expectedNumber: 0 });
    expect(refused).toMatchObject({ status: 409, body: { reason: 'TERMS_CHANGED' } });
    expect(refused.headers.has('retry-after')).toBe(false);
    expect((await ask('bia', 'PUT', path(), { overdraftLimit: '1.00' })).status).toBe(403);
  });
});

it('statement lines are found by their metadata', async () => {
  const body = { operation: 'deposit', amount: '3.00', reference: 'order-1042' };
  const made = await ask('ana', 'POST', '/v1/transactions', body);
  const path = '/v1/statements/search?key=reference&value=order-1042';
  const search = async (more = '', who: keyof typeof people = 'ana') =>
    (await get(`${path}${more}`, who)).body;
  await expect
    .poll(async () => (await search())['items'], { timeout: 20_000 })
    .toMatchObject([
      {
        ...{ transactionId: made.body['id'], userId: people.ana.id, credit: '3.00' },
        metadata: { reference: 'order-1042' },
      },
    ]);
  expect(await search()).toMatchObject({ status: 'complete' });
  expect((await search('', 'bia'))['items']).toEqual([]);
  expect((await search('', 'staff'))['items']).toHaveLength(1);
  expect(await get('/v1/statements/search?key=color&value=red', 'ana')).toMatchObject({
    ...{ status: 400, body: { reason: 'INVALID_ARGUMENT', field: 'key' } },
  });
  expect(await get('/v1/statements/search?key=reference', 'ana')).toMatchObject({
    ...{ status: 400, body: { reason: 'INVALID_ARGUMENT', field: 'value' } },
  });
});
