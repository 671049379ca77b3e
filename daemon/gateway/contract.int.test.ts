import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  contract,
  openAccount,
  send as sendTo,
  startGateway,
  type GatewayWorld,
  type HttpAnswer,
} from '../../tests/support/http/gateway.ts';
import { createPeople } from '../../tests/support/http/people.ts';

const unknownId = '00000000-0000-4000-8000-000000000000';

let world: GatewayWorld;
let token: string;
let transactionId = '';
let exportId = '';

type Request = Omit<NonNullable<Parameters<typeof sendTo>[3]>, 'token'>;

const send = (method: string, path: string, request: Request & { token?: string } = {}) =>
  sendTo(world.url, method, path, { token, ...request });

beforeAll(async () => {
  world = await startGateway();
  token = await openAccount(world, 'ana@example.com');
  const deposit = { operation: 'deposit', amount: '100.00', description: 'salary' };
  const headers = { 'idempotency-key': 'salary' };
  const made = await send('POST', '/v1/transactions', { body: deposit, headers });
  transactionId = String(made.body['id']);
  const order = { from: '2020-01-01', format: 'csv' };
  const created = await send('POST', '/v1/exports', { body: order });
  exportId = String(created.body['id']);
  const finished = await send('GET', `/v1/exports/${exportId}?wait=30`);
  expect(finished.body).toMatchObject({ status: 'done', rows: 1 });
});
afterAll(() => world.stop());

const deposit = { operation: 'deposit', amount: '1.00' };
const key = (name: string) => ({ 'idempotency-key': name });

/** Each answer is compared with the document; here is its status. */
describe('answers are as the OpenAPI document says', () => {
  it.each<[method: string, path: string, status: number, request?: Request]>([
    ['POST', '/v1/transactions', 201, { body: deposit, headers: key('one') }],
    ['POST', '/v1/transactions', 200, { body: deposit, headers: key('one') }],
    ['POST', '/v1/transactions', 200, { body: { ...deposit, dryRun: true }, headers: key('d') }],
    ['POST', '/v1/transactions', 400, { body: deposit }],
    ['POST', '/v1/transactions', 422, { body: { ...deposit, amount: 2 }, headers: key('one') }],
    ['POST', '/v1/transactions', 413, { body: ' '.repeat(300_000), headers: key('x') }],
    ['GET', '/v1/transactions?limit=1', 200],
    ['GET', '/v1/transactions?pageToken=x', 400],
    ['GET', '/v1/transactions/TRANSACTION', 200],
    ['GET', `/v1/transactions/${unknownId}`, 404],
    ['GET', '/v1/transactions/by-key/salary', 200],
    ['GET', '/v1/transactions/by-key/nothing', 404],
    ['GET', '/v1/wallets', 200],
    ['GET', '/v1/wallets?pageToken=x', 400],
    ['GET', '/v1/wallets/me/BRL', 200],
    ['GET', '/v1/wallets/me/XXX', 400],
    ['PATCH', '/v1/wallets/me/BRL', 403, { body: { status: 'frozen' } }],
    ['GET', '/v1/statements', 200],
    ['GET', '/v1/statements?limit=1&currency=BRL', 200],
    ['GET', '/v1/statements', 200, { headers: { accept: 'text/csv' } }],
    ['GET', '/v1/statements', 406, { headers: { accept: 'image/png' } }],
    ['GET', '/v1/statements?from=2020-01-01', 202],
    ['GET', '/v1/statements?timezone=Nowhere', 400],
    ['POST', '/v1/exports', 200, { body: { from: '2020-01-01', dryRun: true } }],
    ['POST', '/v1/exports', 400, { body: { from: 'yesterday' } }],
    ['GET', '/v1/exports?limit=1', 200],
    ['GET', '/v1/exports?limit=501', 400],
    ['GET', '/v1/exports/EXPORT', 200],
    ['GET', `/v1/exports/${unknownId}?wait=30`, 404],
    ['GET', '/v1/exports/EXPORT/file', 200],
    ['GET', '/v1/exports/EXPORT/file', 206, { headers: { range: 'bytes=1-2' } }],
    ['GET', '/v1/exports/EXPORT/file', 416, { headers: { range: 'bytes=1000000-' } }],
    ['GET', `/v1/exports/${unknownId}/file`, 404],
  ])('%s %s is answered with %i as documented', async (method, path, status, request = {}) => {
    const real = path.replace('TRANSACTION', transactionId).replace('EXPORT', exportId);
    expect((await send(method, real, request)).status).toBe(status);
  });

  it('each operation was called well', async () => {
    await callAccounts();
    await callStaff();
    await callSimpleApi();
    // That takes mail: `tests/e2e/events/mail.e2e.test.ts`.
    expect(contract.listMissing('well')).toEqual(['POST /v1/verify-email']);
  });
});

const password = 'correct horse battery';
type Json = Record<string, unknown>;

/** A call that is answered well. */
async function succeed(method: string, path: string, request: Request & { token?: string } = {}) {
  const answer = await send(method, path, request);
  expect([answer.status, answer.text]).toEqual([expect.toSatisfy(isWell), answer.text]);
  return answer;
}

const isWell = (status: number): boolean => status < 400;
const tokensOf = ({ body }: HttpAnswer) =>
  body['tokens'] as { accessToken: string; refreshToken: string; sessionId: string };

async function callAccounts(): Promise<void> {
  const person = { email: 'bea@example.com', password };
  await succeed('POST', '/v1/sign-up', { body: person });
  const first = tokensOf(await succeed('POST', '/v1/sign-in', { body: person }));
  const { refreshToken } = first;
  const refreshed = await succeed('POST', '/v1/sessions/refresh', { body: { refreshToken } });
  const { accessToken } = tokensOf(refreshed);
  await succeed('GET', '/v1/me', { token: accessToken });
  await succeed('GET', '/v1/sessions', { token: accessToken });
  const key = { name: 'a shop', scopes: ['wallets:read'] };
  const made = await succeed('POST', '/v1/api-keys', { token: accessToken, body: key });
  await succeed('GET', '/v1/api-keys', { token: accessToken });
  const keyId = String(made.body['id']);
  await succeed('DELETE', `/v1/api-keys/${keyId}`, { token: accessToken });
  const second = tokensOf(await succeed('POST', '/v1/sign-in', { body: person }));
  const changed = { oldPassword: password, newPassword: `${password} 2` };
  await succeed('PUT', '/v1/me/password', { token: accessToken, body: changed });
  await succeed('DELETE', `/v1/sessions/${second.sessionId}`, { token: accessToken });
  await followOneEvent(accessToken);
  const batch = { items: [{ operation: 'deposit', amount: '1.00', idempotencyKey: 'b' }] };
  await succeed('POST', '/v1/transactions/batch', { token: accessToken, body: batch });
  await succeed('DELETE', '/v1/sessions/current', { token: accessToken });
}

/** A stream has no end: its status and headers are compared, and it is left. */
async function followOneEvent(accessToken: string): Promise<void> {
  const leaving = new AbortController();
  const answer = await fetch(`${world.url}/v1/events`, {
    headers: { authorization: `Bearer ${accessToken}` },
    signal: leaving.signal,
  });
  const { status, headers } = answer;
  contract.check('GET', '/v1/events', { status, headers, body: {}, text: '' });
  leaving.abort();
}

async function callStaff(): Promise<void> {
  const { token: admin } = await createPeople(() => world).create('admin');
  const made = await succeed('POST', '/v1/users', {
    token: admin,
    body: { email: 'caio@example.com', password },
  });
  const id = String(made.body['id']);
  await succeed('GET', '/v1/users?email=caio@example.com', { token: admin });
  await succeed('GET', `/v1/users/${id}`, { token: admin });
  const recipient = { token: admin, body: { email: 'caio@example.com' } };
  expect((await succeed('POST', '/v1/recipients', recipient)).body).toEqual({
    ...{ userId: id, maskedEmail: 'c***@example.com' },
  });
  await succeed('PATCH', `/v1/users/${id}`, { token: admin, body: { disabled: true } });
  expect((await send('POST', '/v1/recipients', recipient)).status).toBe(404);
  const wallets = await succeed('GET', '/v1/wallets');
  const [wallet] = wallets.body['items'] as Json[];
  const path = `/v1/wallets/${String(wallet?.['userId'])}/BRL`;
  await succeed('PATCH', path, { token: admin, body: { status: 'frozen' } });
  await succeed('PATCH', path, { token: admin, body: { status: 'debits_frozen' } });
  await succeed('PATCH', path, { token: admin, body: { status: 'active' } });
  await callHolds(admin, String(wallet?.['userId']));
  const closing = { token: admin, body: { sweepToUserId: id } };
  const closed = await succeed('POST', `${path}/close`, {
    ...closing,
    headers: { 'idempotency-key': 'close' },
  });
  expect(closed.body).toMatchObject({
    ...{ status: 'closed', balance: '0.00' },
    transaction: { operation: 'transfer', counterparty: id },
  });
  expect((await send('POST', `${path}/close`, closing)).body).toMatchObject({
    reason: 'IDEMPOTENCY_KEY_REQUIRED',
  });
  await succeed('POST', `${path}/reopen`, { token: admin, body: {} });
}

async function callHolds(token: string, user: string): Promise<void> {
  const post = (path: string, body: Json) =>
    succeed('POST', path, { token, body, headers: { 'idempotency-key': path } });
  const placed = await post('/v1/holds', { user, amount: '2.00', merchant: 'Hotel Sol' });
  const path = `/v1/holds/${String(placed.body['id'])}`;
  await post(`${path}/capture`, { amount: '1.00', keepRest: true });
  await post(`${path}/release`, {});
  await succeed('GET', path, { token });
  await succeed('GET', `/v1/holds?user=${user}`, { token });
  const terms = { limits: { day: '900.00', rolling: [{ hours: 24, amount: '900.00' }] } };
  await succeed('PUT', `/v1/wallets/${user}/BRL/terms`, { token, body: terms });
  await succeed('GET', `/v1/wallets/${user}/BRL/terms`, { token });
  await succeed('GET', '/v1/statements/search?key=reference&value=none', { token });
}

async function callSimpleApi(): Promise<void> {
  const person = { email: 'davi@example.com', password };
  await succeed('POST', '/auth/sign-up', { body: { ...person, confirmPassword: password } });
  const signedIn = await succeed('POST', '/auth/sign-in', { body: person });
  const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';');
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await sendTo(world.url, method, path, {
      headers: { cookie },
      ...(body === undefined ? {} : { body }),
    });
    expect([answer.status, answer.text]).toEqual([expect.toSatisfy(isWell), answer.text]);
    return answer;
  };
  await call('GET', '/auth/me');
  await call('POST', '/wallet/transaction', { operation: 0, amount: 5 });
  await call('GET', '/wallet/balance');
  await call('GET', '/wallet/transactions');
  const today = new Date().toISOString().slice(0, 10);
  await call('POST', '/statement/generate', { maxDate: today });
  // One that was made under /v1.
  const path = `/statement/exports/${exportId}`;
  await succeed('GET', path);
  await succeed('GET', `${path}/file`);
  await call('POST', '/auth/refresh', {});
  await call('POST', '/auth/sign-out', {});
}

describe('the comparison with the document', () => {
  const answer = (status: number, body: object, headers: Record<string, string> = {}) => ({
    ...{ status, body: body as Record<string, unknown>, text: JSON.stringify(body) },
    headers: new Headers({
      'content-type': 'application/json',
      'x-request-id': 'x',
      'idempotency-key': 'x',
      ...headers,
    }),
  });
  const balance = {
    ...{ walletId: unknownId, userId: unknownId, currency: 'BRL', balance: '1.00', seq: 1 },
    status: 'active',
    asOf: '2026-11-22T21:42:11.000Z',
  };

  it.each([
    ['an unknown path', '/v1/nothing', answer(200, balance), 'has no GET'],
    ['a status', '/v1/wallets/me/BRL', answer(299, balance), 'is not documented'],
    ['a type', '/v1/wallets/me/BRL', answer(200, { ...balance, seq: '1' }), 'must be integer'],
    ['a member', '/v1/wallets/me/BRL', answer(200, { ...balance, a: 1 }), 'additional properties'],
    [
      'a content type',
      '/v1/wallets/me/BRL',
      answer(200, balance, { 'content-type': 'text/html' }),
      'content type text/html',
    ],
  ])('%s that is not documented is found', (_what, path, wrong, message) => {
    expect(() => contract.check('GET', path, wrong)).toThrow(message);
    contract.check('GET', '/v1/wallets/me/BRL', answer(200, balance));
  });
});
