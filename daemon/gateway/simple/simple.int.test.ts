import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { send, startGateway, type GatewayWorld } from '../../../tests/support/http/gateway.ts';

const password = 'correct horse battery';
let world: GatewayWorld;

beforeAll(async () => {
  world = await startGateway();
});
afterAll(() => world.stop());

type Options = {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
};
const ask = (method: string, path: string, options: Options = {}) =>
  send(world.url, method, path, options);

let people = 0;

/** A person who is signed in. */
async function signUp(): Promise<{ readonly email: string; readonly token: string }> {
  const email = `simple${(people += 1)}@example.com`;
  await ask('POST', '/v1/sign-up', { body: { email, password } });
  const { body } = await ask('POST', '/v1/sign-in', { body: { email, password } });
  return { email, token: (body['tokens'] as { accessToken: string }).accessToken };
}

const move = (token: string, body: unknown, headers: Record<string, string> = {}) =>
  ask('POST', '/wallet/transaction', { token, body, headers });

const today = (): string => new Date().toISOString().slice(0, 10);
const daysAgo = (days: number): string =>
  new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

describe('transactions and balances', () => {
  it('operations are numbers or names, and the balance is a number', async () => {
    const { token } = await signUp();
    const deposit = await move(token, { operation: 0, amount: 200 });
    expect(deposit.status).toBe(201);
    expect(deposit.body).toMatchObject({
      status: 201,
      transaction: { operation: 'deposit', amount: '200.00', currency: 'BRL', seq: 1 },
      replayed: false,
    });
    await move(token, { operation: 'withdraw', amount: '40.01' });
    const bought = await move(token, { operation: 2, amount: 9.99, merchant: 'a shop' });
    const { id: transactionId } = bought.body['transaction'] as { id: string };
    const cancelled = await move(token, { operation: 4, transactionId });
    expect(cancelled.body).toMatchObject({ transaction: { operation: 'cancellation', seq: 4 } });
    const balance = await ask('GET', '/wallet/balance', { token });
    expect(balance.text).toBe(
      '{"status":200,"balance":159.99,"balanceText":"159.99","currency":"BRL"}',
    );
    expect(balance.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const listed = await ask('GET', '/wallet/transactions?limit=3', { token });
    expect(listed.body).toMatchObject({ status: 200, items: [{ seq: 4 }, { seq: 3 }, { seq: 2 }] });
    const next = /^<(.+)>; rel="next"$/.exec(listed.headers.get('link') ?? '')?.[1] ?? '';
    expect((await ask('GET', next, { token })).body).toMatchObject({ items: [{ seq: 1 }] });
  });

  it('the balance of a wallet that was never used is 0', async () => {
    const balance = await ask('GET', '/wallet/balance?currency=JPY', { ...(await signUp()) });
    expect(balance.body).toEqual({ status: 200, balance: 0, balanceText: '0', currency: 'JPY' });
  });

  it('a key is made and given back, and the same key makes no second transaction', async () => {
    const { token } = await signUp();
    const first = await move(token, { operation: 0, amount: 5 });
    const key = first.headers.get('idempotency-key') ?? '';
    expect(key).toMatch(/^"[0-9a-f-]{36}"$/);
    const again = await move(token, { operation: 0, amount: 5 }, { 'idempotency-key': key });
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    const transaction = { ...(first.body['transaction'] as object), replayed: true };
    expect(again.body).toEqual({ status: 200, transaction, replayed: true });
    const other = await move(token, { operation: 0, amount: 6 }, { 'idempotency-key': key });
    expect(other.body).toMatchObject({ status: 422, reason: 'IDEMPOTENCY_KEY_REUSED' });
    expect(other.headers.get('idempotency-key')).toBe(key);
    const without = await move(token, { operation: 0, amount: 5 });
    expect(without.body).toMatchObject({ status: 201, transaction: { seq: 2 } });
  });

  it('a reversal may give a part of its parent, until nothing is left', async () => {
    const { token } = await signUp();
    const { body } = await move(token, { operation: 0, amount: 7 });
    const { id: transactionId } = body['transaction'] as { id: string };
    const wrong = await move(token, { operation: 3, transactionId, amount: 8 });
    expect(wrong.body).toMatchObject({ status: 400, reason: 'UNDO_EXCEEDS_PARENT' });
    const done = await move(token, { operation: 3, transactionId, amount: 6 });
    expect(done.body).toMatchObject({ status: 201, transaction: { amount: '6.00' } });
    const rest = await move(token, { operation: 3, transactionId });
    expect(rest.body).toMatchObject({ status: 201, transaction: { amount: '1.00' } });
    const twice = await move(token, { operation: 3, transactionId });
    expect(twice.body).toMatchObject({ status: 400, reason: 'PARENT_ALREADY_UNDONE' });
  });

  it.each([
    [{ operation: 1, amount: 100 }, 400, 'INSUFFICIENT_FUNDS'],
    [{ operation: 3, transactionId: randomUUID() }, 404, 'PARENT_NOT_FOUND'],
    [{ operation: 0, amount: 1.999 }, 400, 'AMOUNT_INVALID'],
    [{ operation: 0, amount: '1e3' }, 400, 'AMOUNT_INVALID'],
    [{ operation: 0, amount: -1 }, 400, 'AMOUNT_INVALID'],
    [{ operation: 0 }, 400, 'AMOUNT_INVALID'],
    [{ operation: 5, amount: 1 }, 400, 'INVALID_ARGUMENT'],
    [{ operation: 0.5, amount: 1 }, 400, 'INVALID_ARGUMENT'],
    [{ operation: 'gift', amount: 1 }, 400, 'INVALID_ARGUMENT'],
    [{ operation: 0, amount: 1, userId: randomUUID() }, 400, 'INVALID_ARGUMENT'],
    [{ operation: 0, amount: 1, currency: 'XXX' }, 400, 'CURRENCY_UNKNOWN'],
    ['{"operation":0,"amount":90071992547409.93}', 400, 'JSON_INVALID'],
  ])('the transaction %o is refused with %i %s', async (body, status, reason) => {
    const refused = await move((await signUp()).token, body);
    const { detail } = refused.body;
    expect(refused.body).toMatchObject({ status, reason, error: [detail] });
    expect(refused.body['statusCode']).toBeUndefined();
    expect(refused.status).toBe(status);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
  });

  it.each([
    ['GET', '/wallet/balance'],
    ['POST', '/wallet/transaction'],
    ['GET', '/wallet/transactions'],
    ['POST', '/statement/generate'],
    ['GET', '/auth/me'],
    ['POST', '/auth/refresh'],
    ['POST', '/auth/sign-out'],
    ['GET', `/statement/exports/${randomUUID()}`],
    ['GET', `/statement/exports/${randomUUID()}/file`],
  ])('%s %s without a credential is 401 Unauthorized', async (method, path) => {
    const bodies: Record<string, unknown> = {
      '/wallet/transaction': { operation: 0, amount: 1 },
      '/statement/generate': { maxDate: today() },
    };
    const refused = await ask(method, path, { body: bodies[path] });
    expect(refused.body).toMatchObject({
      ...{ status: 401, statusCode: 401, message: 'Unauthorized' },
      ...{ reason: 'CREDENTIALS_MISSING', error: [refused.body['detail']] },
    });
  });
});

describe('statements', () => {
  it('the statement since a day has its lines as texts', async () => {
    const { token } = await signUp();
    await move(token, { operation: 0, amount: 200 });
    await move(token, { operation: 1, amount: 100 });
    const [year, month, day] = today().split('-');
    const generated = await ask('POST', '/statement/generate', {
      token,
      body: { maxDate: daysAgo(1) },
    });
    expect(generated.body).toMatchObject({
      status: 200,
      items: [
        { amount: 'R$200.00', balance: 'R$200.00', operation: 'deposit' },
        { amount: 'R$100.00', balance: 'R$100.00', operation: 'withdraw' },
      ],
      statement: { opening: '0.00', closing: '100.00', lines: [{ seq: 1 }, { seq: 2 }] },
    });
    const [line] = generated.body['items'] as { date: string }[];
    expect(line?.date).toBe(`${day}/${month}/${year}`);
  });

  it('without transactions it is 404, as a text that clients know', async () => {
    const body = { maxDate: today(), currency: 'USD' };
    const refused = await ask('POST', '/statement/generate', { ...(await signUp()), body });
    expect(refused.body).toMatchObject({ status: 404, error: ['No transactions'] });
  });

  it('a range of more than 15 days is written to a file, which can be downloaded', async () => {
    const { token } = await signUp();
    await move(token, { operation: 0, amount: 12.34 });
    const body = { maxDate: daysAgo(20) };
    const generated = await ask('POST', '/statement/generate', { token, body });
    expect(generated.body).toMatchObject({ status: 200, export: { format: 'csv' } });
    expect(generated.body['items']).toBeUndefined();
    const path = `/statement/exports/${(generated.body['export'] as { id: string }).id}`;
    let { body: got } = await ask('GET', path, { token });
    while ((got['export'] as { status: string }).status !== 'done') {
      await sleep(50);
      ({ body: got } = await ask('GET', path, { token }));
    }
    expect(got).toMatchObject({ status: 200, export: { rows: 1 } });
    const file = await ask('GET', `${path}/file`, { token });
    expect(file.status).toBe(200);
    expect(file.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(file.headers.get('content-disposition')).toMatch(
      /^attachment; filename="statement-BRL-.+\.csv"$/,
    );
    expect(file.text).toContain(',deposit,,,12.34,12.34,BRL');
    const exports = await ask('GET', '/statement/exports/1', { token });
    expect(exports.body).toMatchObject({ status: 400, reason: 'INVALID_ARGUMENT' });
    const other = await ask('GET', `${path}/file`, await signUp());
    expect(other.body).toMatchObject({ status: 404, reason: 'EXPORT_NOT_FOUND' });
  });

  it.each([
    [{ maxDate: '2023-02-30' }, 'maxDate'],
    [{ maxDate: '10/07/2023' }, 'maxDate'],
    [{ maxDate: '2999-01-01' }, 'maxDate'],
    [{}, 'maxDate'],
    [{ maxDate: '2023-07-10', timezone: 'Nowhere' }, 'timezone'],
    [{ maxDate: '2023-07-10', days: 3 }, 'days'],
  ])('the request %o is refused, with the field %s', async (body, field) => {
    const refused = await ask('POST', '/statement/generate', { ...(await signUp()), body });
    expect(refused.body).toMatchObject({ status: 400, reason: 'INVALID_ARGUMENT', field });
  });
});

describe('sessions', () => {
  it('who shows a token is known, and signs out', async () => {
    const { email, token } = await signUp();
    const me = await ask('GET', '/auth/me', { token });
    expect(me.body).toMatchObject({ user: { email, role: 'customer' } });
    expect((await ask('POST', '/auth/refresh', { token })).body).toEqual(me.body);
    const out = await ask('POST', '/auth/sign-out', { token });
    expect([out.status, out.body]).toEqual([200, { status: 200 }]);
    expect(out.headers.get('set-cookie')).toBeNull();
    const refused = await ask('GET', '/auth/me', { token });
    expect(refused.body).toMatchObject({ status: 401, statusCode: 401, reason: 'TOKEN_REVOKED' });
  });

  it('a failed sign-in is 401', async () => {
    const body = { email: 'stranger@example.com', password };
    const refused = await ask('POST', '/auth/sign-in', { body });
    expect(refused.body).toMatchObject({
      ...{ status: 401, reason: 'CREDENTIALS_INVALID', message: 'Unauthorized' },
      error: [refused.body['detail']],
    });
    expect(refused.headers.get('set-cookie')).toBeNull();
  });

  it.each([
    [
      'another confirmation',
      'confirmed',
      { confirmPassword: 'wrong donkey staple' },
      'confirmPassword',
    ],
    ['a short password', 'short', { password: 'short', confirmPassword: 'short' }, 'password'],
    ['an address that is none', 'none', { email: 'none' }, 'email'],
    ['a field too many', 'role', { role: 'admin' }, 'role'],
  ])('a sign-up with %s is refused with 400', async (_what, name, part, field) => {
    const valid = { email: `${name}@example.com`, password, confirmPassword: password };
    const refused = await ask('POST', '/auth/sign-up', { body: { ...valid, ...part } });
    expect(refused.body).toMatchObject({ status: 400, field, error: [refused.body['detail']] });
  });

  it('a sign-up with an address that is taken is refused with 400', async () => {
    const { email } = await signUp();
    const body = { email, password, confirmPassword: password };
    const refused = await ask('POST', '/auth/sign-up', { body });
    expect(refused.body).toMatchObject({ status: 400, reason: 'EMAIL_TAKEN' });
  });

  it('no page of another site, and no other name of this server, starts a session', async () => {
    const body = { email: 'stranger@example.com', password };
    const origin = 'https://attacker.example';
    const foreign = await ask('POST', '/auth/sign-in', { body, headers: { origin } });
    expect(foreign.body).toMatchObject({ status: 403, reason: 'ORIGIN_REFUSED' });
    const otherName = `http://localhost:${world.port}`;
    const unknown = await send(otherName, 'POST', '/auth/sign-in', { body });
    expect(unknown.body).toMatchObject({ status: 421, reason: 'HOST_UNKNOWN' });
  });

  it('a cookie that is no session is refused, and removed', async () => {
    const headers = { cookie: 'token=eyJhbGciOiJIUzI1NiJ9.e30.c2ln' };
    const refused = await ask('GET', '/auth/me', { headers });
    expect(refused.body).toMatchObject({ status: 401, reason: 'TOKEN_INVALID', field: 'Cookie' });
    expect(refused.headers.get('set-cookie')).toBe(
      'token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0',
    );
  });
});
